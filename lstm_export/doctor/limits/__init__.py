"""What runtimes are known to refuse or to get wrong, as tables.

Rows of runtimes that `measured.json` names hold on the version there: `make docs-matrix` shows them
on the bundles of `artifacts` and on a trap for each construct, and a test compares both. The few
constructs without a trap, and other runtimes, were tried by hand on the releases of `known.TRIED`;
`documented` has what was only read. Errors are absolute, of values within (-1, 1).
"""
