"""For tools that look for it; everything is in pyproject.toml."""

import setuptools

setuptools.setup()
