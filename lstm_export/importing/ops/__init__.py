"""The ops that a description is made of: what each takes, its shapes, its equations in float64."""
