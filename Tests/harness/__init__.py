"""What the Python suites drive the real programs and whole machines with; none of it is our own Swift code.

IntegrationTests, Device and Benchmarks share it. It needs Python's standard library only, but for `parts` and `reporting`,
which are plugins of pytest.
"""
