"""A headless Chromium that opens pages, over a pipe and nothing else.

It is driven by its own protocol, JSON between null bytes on the descriptors 3
and 4, so that no library and no port is needed. To look at a page, and for the
picture of docs/report.md:

python -m tests.browser --height=1500 runs/first/report/index.html page.png
"""

import argparse
import base64
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import Any, Optional

_NAMES = 'chromium', 'chromium-browser', 'google-chrome', 'chrome'
_FLAGS = (
    '--headless=new',
    '--disable-gpu',
    '--hide-scrollbars',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--no-sandbox',  # It opens our own files only, and CI may be root.
    '--remote-debugging-pipe',
)
# Puts two descriptors, whichever they are, where the browser looks for them.
_LAUNCH = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
# What is wrong with the page that is open, as a list of sentences.
_FAULTS = r"""
(() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) {
    const wide = [...document.body.querySelectorAll('*')].filter(
        (e) => e.getBoundingClientRect().right > innerWidth + 0.5 &&
               !e.closest('.scroll'));
    faults.push(`wider than the screen, ${root.scrollWidth}: ` +
                wide.slice(0, 3).map((e) => e.outerHTML.slice(0, 120)));
  }
  for (const image of document.images) {
    if (!image.complete || !image.naturalWidth) {
      faults.push(`a missing picture: ${image.src.slice(0, 80)}`);
    }
    if (!image.alt) faults.push(`no alt text: ${image.src.slice(0, 80)}`);
  }
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    if (!document.getElementById(link.hash.slice(1))) {
      faults.push(`a broken link: ${link.hash}`);
    }
  }
  let level = 0;
  for (const heading of document.querySelectorAll('h1,h2,h3,h4,h5')) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) faults.push(`a heading skips: ${heading.outerHTML}`);
    level = next;
  }
  const names = [...document.querySelectorAll('[id]')].map((e) => e.id);
  if (new Set(names).size < names.length) faults.push(`an id twice: ${names}`);
  return faults;
})()
"""


def find() -> Optional[str]:
  """Returns the program, None if none is installed."""
  return next(filter(None, map(shutil.which, _NAMES)), None)


class Browser:
  """One page of a running browser.

  Attributes:
    faults: Exceptions of scripts, and what could not be loaded, so far.
  """

  def __init__(self, commands: int, answers: int):
    """Attaches to a new page.

    Args:
      commands: The descriptor that takes commands.
      answers: The one that gives answers and events.
    """
    self._commands = commands
    self._answers = answers
    self._buffer = b''
    self._count = 0
    self._session: Optional[str] = None
    self._loaded = False
    self.faults: list[str] = []
    target = self._call('Target.createTarget', url='about:blank')
    attached = self._call(
        'Target.attachToTarget', targetId=target['targetId'], flatten=True
    )
    self._session = attached['sessionId']
    for domain in ('Page', 'Runtime', 'Log', 'Network'):
      self._call(f'{domain}.enable')

  def open(
      self, path: pathlib.Path, width: int, scheme: str, height: int = 900
  ) -> None:
    """Opens a page and waits until all of it is there.

    Args:
      path: The file.
      width: Of the screen, in CSS pixels.
      scheme: 'light' or 'dark'.
      height: Of the screen.
    """
    self.faults = []
    self._call(
        'Emulation.setDeviceMetricsOverride',
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=width < 600,
    )
    feature = {'name': 'prefers-color-scheme', 'value': scheme}
    self._call('Emulation.setEmulatedMedia', features=[feature])
    self._loaded = False
    self._call('Page.navigate', url=path.resolve().as_uri())
    while not self._loaded:
      self._receive()
    self._call('Runtime.evaluate', expression='document.fonts.ready')

  def check(self) -> list[str]:
    """Returns what is wrong with the open page, in sentences."""
    return [*self.evaluate(_FAULTS), *self.faults]

  def evaluate(self, expression: str) -> Any:
    """Returns the value of an expression in the page."""
    found = self._call(
        'Runtime.evaluate', expression=expression, returnByValue=True
    )
    assert 'exceptionDetails' not in found, found
    return found['result'].get('value')

  def picture(self, output: pathlib.Path, whole: bool = False) -> None:
    """Writes what the screen shows as a PNG.

    Args:
      output: The file.
      whole: Whether all of the page is shown, however long.
    """
    found = self._call('Page.captureScreenshot', captureBeyondViewport=whole)
    output.write_bytes(base64.b64decode(found['data']))

  def _call(self, method: str, **params: Any) -> Mapping[str, Any]:
    self._count += 1
    number = self._count
    message = {'id': number, 'method': method, 'params': params}
    if self._session is not None:
      message['sessionId'] = self._session
    os.write(self._commands, json.dumps(message).encode() + b'\0')
    while True:
      answer = self._receive()
      if answer.get('id') == number:
        assert 'error' not in answer, answer['error']
        return answer['result']

  def _receive(self) -> Mapping[str, Any]:
    """Returns the next message, and notes what it says of the page."""
    while b'\0' not in self._buffer:
      data = os.read(self._answers, 1 << 16)
      assert data, 'the browser has ended'
      self._buffer += data
    text, _, self._buffer = self._buffer.partition(b'\0')
    message = json.loads(text)
    method, params = message.get('method'), message.get('params', {})
    if method == 'Page.loadEventFired':
      self._loaded = True
    elif method == 'Runtime.exceptionThrown':
      self.faults.append(f'an exception: {params["exceptionDetails"]}')
    elif method == 'Log.entryAdded' and params['entry']['level'] == 'error':
      self.faults.append(f'an error: {params["entry"]["text"]}')
    elif method == 'Network.loadingFailed':
      self.faults.append(f'not loaded: {params["errorText"]}')
    return message


@contextlib.contextmanager
def start() -> Iterator[Browser]:
  """Returns a browser, which ends with the context."""
  program = find()
  assert program is not None
  from_us, commands = os.pipe()
  answers, to_us = os.pipe()
  with tempfile.TemporaryDirectory() as profile:
    process = subprocess.Popen(
        [
            *(sys.executable, '-c', _LAUNCH, str(from_us), str(to_us)),
            program,
            *_FLAGS,
            f'--user-data-dir={profile}',
        ],
        pass_fds=(from_us, to_us),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(from_us)
    os.close(to_us)
    try:
      yield Browser(commands, answers)
    finally:
      os.close(commands)  # The end of its input ends it.
      os.close(answers)
      try:
        process.wait(timeout=10)
      except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
  """Writes a picture of a page, and says what is wrong with the page."""
  parser = argparse.ArgumentParser(description='Takes a picture of a page.')
  parser.add_argument('--width', type=int, default=1280)
  parser.add_argument('--height', type=int, help='by default all of the page')
  parser.add_argument('--scheme', choices=['light', 'dark'], default='light')
  parser.add_argument('page', type=pathlib.Path)
  parser.add_argument('output', type=pathlib.Path)
  arguments = parser.parse_args()
  if find() is None:
    parser.error(f'no Chromium was found; names are {", ".join(_NAMES)}.')
  with start() as browser:
    browser.open(
        arguments.page,
        arguments.width,
        arguments.scheme,
        arguments.height or 900,
    )
    browser.picture(arguments.output, whole=arguments.height is None)
    print('\n'.join(browser.check()) or 'nothing is wrong with the page')


if __name__ == '__main__':
  main()
