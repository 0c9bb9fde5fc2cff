"""The torch side of the ops: importable with torch alone, and imported when a module is built."""
