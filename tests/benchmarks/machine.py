"""The machine that records of benchmarks name in tests."""

MACHINE = {
    'processor': 'one',
    'cores': 2,
    'accelerators': [],
    'tensorflow': '2',
    'environment': {},
}
