"""From a module and one way to call it to a traced program, every axis open."""
