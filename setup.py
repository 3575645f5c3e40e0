"""Packaging of r2i_tf; `make` installs it with the versions tested together."""

import setuptools

INSTALL_REQUIRES = [
    'absl-py',
    'dm-env',
    'dm-tree',
    'keras==2.15.0',
    'matplotlib',
    'ml-collections',
    'numpy<2',
    'psutil',
    # TensorBoard 2.15 imports pkg_resources, which setuptools 82 dropped.
    'setuptools<82',
    'tensorflow-probability==0.23.0',
    'tf-agents==0.19.0',
    'tqdm',
]

# These have no release for Python 3.9: there the extras below are empty, and
# the loader says so to who asks for one of their tasks.
_SINCE_3_10 = '; python_version >= "3.10"'
_GYMNASIUM = f'gymnasium==1.3.0{_SINCE_3_10}'
_DM_CONTROL = [f'dm-control==1.0.50{_SINCE_3_10}', f'mujoco<4{_SINCE_3_10}']

# The suites of r2i_tf/environments/suites.py. No underscores: the pip that
# comes with Python 3.11 installs nothing for an extra whose name has one.
SUITES = {
    'bsuite': ['bsuite==0.3.6'],
    'popgym': [f'popgym==1.0.7{_SINCE_3_10}', _GYMNASIUM],
    'memory-maze': [f'memory-maze==1.0.3{_SINCE_3_10}', *_DM_CONTROL],
    'atari': [f'ale-py==0.12.1{_SINCE_3_10}', 'pillow'],
    'dmc': _DM_CONTROL,
    'gymnasium': [_GYMNASIUM, 'pillow'],
}

# TensorFlow comes as one of two packages that must not be installed together,
# so it is an extra: cpu or gpu. For the same reason Reverb is named directly:
# tf-agents[reverb] would bring the package of the extra gpu.
EXTRAS_REQUIRE = {
    'cpu': ['tensorflow-cpu==2.15.1'],
    'gpu': ['tensorflow[and-cuda]==2.15.1'],
    'reverb': ['dm-reverb==0.14.0'],
    **SUITES,
    'suites': sorted({need for suite in SUITES.values() for need in suite}),
    'dev': ['pyink', 'pytest', 'pytest-xdist', 'ruff'],
}

setuptools.setup(
    name='r2i_tf',
    version='0.1.0',
    description='Recall to Imagine (R2I) for TensorFlow and TF-Agents.',
    license='Apache-2.0',
    packages=setuptools.find_packages(include=['r2i_tf', 'r2i_tf.*']),
    python_requires='>=3.9,<3.12',
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
)
