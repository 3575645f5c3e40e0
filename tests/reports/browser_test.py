"""Pages in a browser: on a desk and on a telephone, in light and in dark."""

import pytest

from r2i_tf.reports import page
from r2i_tf.reports import run_page
from r2i_tf.reports import runs
from tests import browser as browser_lib
from tests.reports import made_look

pytestmark = pytest.mark.skipif(
    browser_lib.find() is None,
    reason='no Chromium was found; Debian has it as the package chromium',
)
_SCREENS = [
    (width, scheme) for width in (1280, 390) for scheme in ('light', 'dark')
]


@pytest.fixture(name='browser', scope='module')
def _browser():
  with browser_lib.start() as browser:
    yield browser


def _written(path, text):
  path.write_text(text)
  return path


@pytest.fixture(name='page_of_run', scope='module')
def _page_of_run(tmp_path_factory):
  workdir = made_look.write(tmp_path_factory.mktemp('runs') / 'one')
  return run_page.write(workdir, workdir / 'report')


@pytest.mark.parametrize('width, scheme', _SCREENS)
def test_the_page_of_a_run(browser, page_of_run, width, scheme):
  """Nothing fails, is missing, leads nowhere or is wider than the screen."""
  browser.open(page_of_run, width, scheme)
  assert browser.check() == []


@pytest.mark.parametrize('width', [1280, 390])
def test_the_page_of_several_runs(browser, tmp_path, width):
  """With names as long as they get."""
  task = 'popgym/RepeatPreviousEasy'
  paths = [
      made_look.write(tmp_path / 'b', seed=1, task=task),
      made_look.write(tmp_path / 'a', task=task, critic__value=1e9),
  ]
  page.write(runs.collect(paths), tmp_path / 'page')
  browser.open(tmp_path / 'page' / 'index.html', width, 'dark')
  assert browser.check() == []


@pytest.mark.parametrize(
    'body, fault',
    [
        ('<p style="width: 2000px">a</p>', 'wider than the screen'),
        ('<img src="nowhere.png" alt="a">', 'a missing picture'),
        ('<a href="#nowhere">a</a>', 'a broken link'),
        ('<script>nowhere()</script>', 'an exception'),
        ('<h1>a</h1><h3>b</h3>', 'a heading skips'),
        ('<i id="a"></i><i id="a"></i>', 'an id twice'),
    ],
)
def test_faults_are_found(browser, tmp_path, body, fault):
  """The check above finds what it is to find."""
  path = _written(tmp_path / 'a.html', f'<!doctype html>{body}')
  browser.open(path, 390, 'light')
  assert any(found.startswith(fault) for found in browser.check())


def test_dark_is_dark(browser, page_of_run):
  """Where the system asks for it, and light elsewhere."""
  shade = 'getComputedStyle(document.body).backgroundColor'
  browser.open(page_of_run, 1280, 'light')
  assert browser.evaluate(shade) == 'rgb(255, 255, 255)'
  browser.open(page_of_run, 1280, 'dark')
  assert browser.evaluate(shade) == 'rgb(21, 23, 26)'


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_text_stands_out_from_the_paper(browser, page_of_run, scheme):
  """A contrast of 4.5 for text, of 3 for lines (WCAG 2)."""
  browser.open(page_of_run, 1280, scheme)
  names = ['ink', 'soft', 'warn', 'link', *(f's{i}' for i in range(8))]
  colors = browser.evaluate(
      f'{names + ["paper"]}.map((name) => getComputedStyle('
      'document.documentElement).getPropertyValue("--" + name).trim())'
  )
  *inks, paper = map(_luminance, colors)
  for name, ink in zip(names, inks):
    high, low = max(ink, paper), min(ink, paper)
    wanted = 3.0 if name.startswith('s') and name != 'soft' else 4.5
    assert (high + 0.05) / (low + 0.05) >= wanted, name


def _luminance(color):
  """Returns the relative luminance of '#rrggbb', or of '#rgb'."""
  digits = color.lstrip('#')
  if len(digits) == 3:
    digits = ''.join(2 * digit for digit in digits)
  parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
  linear = [
      c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
  ]
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_plots_have_their_place_on_a_telephone(browser, page_of_run):
  """Ticks are as large as on a desk, and none is cut off at the edge."""
  sizes = []
  for width in (1280, 390):
    browser.open(page_of_run, width, 'light')
    sizes.append(
        browser.evaluate(
            '[...document.querySelectorAll(".plot .x")].map((e) =>'
            ' [getComputedStyle(e).fontSize,'
            ' e.getBoundingClientRect().right <= innerWidth])'
        )
    )
  assert sizes[0] == sizes[1]
  assert sizes[1] and all(inside for _, inside in sizes[1])
