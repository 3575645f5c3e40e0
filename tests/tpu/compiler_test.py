"""The TPU compiler: installed apart, asked, and its count of loops mended."""

import math
import os
import sys

import pytest

from r2i_tf import errors
from r2i_tf.tpu import compiler
from r2i_tf.tpu import installation
from r2i_tf.tpu import tpu_compiler


@pytest.fixture(name='install')
def _install(tmp_path, monkeypatch):
  """Installs with a Python that only notes what it is asked to do."""
  python = tmp_path / 'python'
  # bin/python -I -m venv DIRECTORY makes a copy of it there.
  python.write_text(
      '#!/bin/sh\n'
      f'[ "$3" = pip ] && echo pip >> "{tmp_path}/log"\n'
      f'[ "$3" = pip ] && [ -e "{tmp_path}/offline" ] && {{\n'
      '  echo "WARNING: Retrying"\n'
      '  echo "ERROR: No matching distribution found for jax"; exit 1; }\n'
      '[ "$3" = venv ] && mkdir -p "$4/bin" && cp "$0" "$4/bin/python"\n'
      'exit 0\n'
  )
  python.chmod(0o755)
  monkeypatch.setattr(installation, '_PYTHONS', (str(python),))
  notes = []

  def install():
    made = installation.ensure(tmp_path / 'cache' / 'tpu', notes.append)
    return made, len(notes), (tmp_path / 'log').read_text().count('pip')

  return install


def test_the_compiler_is_installed_once(tmp_path, install, monkeypatch):
  """What stands there is used, until other versions are asked for."""
  made, notes, installed = install()
  assert os.access(made, os.X_OK) and (notes, installed) == (1, 1)
  assert install() == (made, 1, 1)
  monkeypatch.setattr(installation, 'REQUIREMENTS', ('jax==9',))
  assert install() == (made, 2, 2)
  left = {path.name for path in (tmp_path / 'cache').iterdir()}
  assert left == {'tpu', 'tpu.lock'}


def test_an_interrupted_installation_is_done_again(
    tmp_path, install, monkeypatch
):
  """Ctrl-C leaves nothing; what a kill left is not used, but removed."""
  run_command = installation._run

  def interrupted(command, directory):
    run_command(command, directory)
    if 'pip' in command:
      raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(installation, '_run', interrupted)
    with pytest.raises(KeyboardInterrupt):
      install()
  cache = tmp_path / 'cache'
  assert [path.name for path in cache.iterdir()] == ['tpu.lock']
  (cache / '.tpu.killed' / 'tpu' / 'bin').mkdir(parents=True)
  assert install()[2] == 2
  assert {path.name for path in cache.iterdir()} == {'tpu', 'tpu.lock'}


def test_a_failing_installation_is_one_sentence(tmp_path, install):
  """It says what pip said last and what is needed, and leaves nothing."""
  (tmp_path / 'offline').touch()
  with pytest.raises(errors.RunError) as caught:
    install()
  message = str(caught.value)
  assert len(message.splitlines()) == 1
  assert 'No matching distribution found for jax; this needs' in message
  assert [path.name for path in (tmp_path / 'cache').iterdir()] == ['tpu.lock']
  (tmp_path / 'offline').unlink()
  assert install()[2] == 2


def test_no_python_that_is_new_enough(tmp_path, monkeypatch):
  """The sentence says which one to install."""
  names = (sys.executable, str(tmp_path / 'python3.11'))
  monkeypatch.setattr(installation, '_PYTHONS', names)
  monkeypatch.setattr(installation, '_SUITABLE', 'raise SystemExit(1)')
  with pytest.raises(errors.RunError, match='needs Python 3.11 or newer'):
    installation.ensure(tmp_path / 'cache' / 'tpu', print)


def _compile(tmp_path, monkeypatch, program):
  path = tmp_path / 'program.py'
  path.write_text(f'import json, os, sys\n{program}\n')
  monkeypatch.setattr(compiler, '_PROGRAM', path)
  monkeypatch.setenv('XLA_FLAGS', '--for_tensorflow')
  return compiler.compile_for_tpu(sys.executable, b'hlo', 'v4:2x2x1', 4)


def test_the_program_gets_the_step_and_is_not_heard(
    tmp_path, monkeypatch, capfd
):
  """HLO and topology go in, JSON comes out; flags for TensorFlow stay here."""
  answer = _compile(
      tmp_path,
      monkeypatch,
      'print("noise", file=sys.stderr)\n'
      'hlo = sys.stdin.read()\n'
      'flags = os.environ.get("XLA_FLAGS")\n'
      'print(json.dumps([hlo, sys.argv[1:], flags]))',
  )
  assert answer == [
      'hlo',
      ['v4:2x2x1', '4', 'chip_config_name=megacore'],
      None,
  ]
  assert capfd.readouterr() == ('', '')


def test_a_compiler_that_fails_is_heard(tmp_path, monkeypatch, capfd):
  """Then what it had to say is shown, before the sentence."""
  with pytest.raises(errors.RunError, match='failed with code 3'):
    _compile(
        tmp_path,
        monkeypatch,
        'print("why", file=sys.stderr)\nsys.exit(3)',
    )
  assert capfd.readouterr().err == 'why\n'
  with pytest.raises(errors.RunError, match='memory runs out'):
    _compile(tmp_path, monkeypatch, 'os.kill(os.getpid(), 9)')


class _Instruction:
  """An HLO instruction as far as `tpu_compiler` looks at one."""

  def __init__(self, opcode, *operands, text=''):
    self.opcode, self._operands, self._text = (
        f'HloOpcode.k{opcode}',
        operands,
        text,
    )
    self.name, self._users = f'{opcode}.{id(self)}', []
    for operand in operands:
      operand._users.append(self)

  def operands(self):
    return list(self._operands)

  def users(self):
    return self._users

  def to_string(self):
    return f'%{self.name} = s32[] {self._text}'


def _number(value):
  return _Instruction('Constant', text=f'constant({value})')


def _state(index):
  argument = _Instruction('Parameter', text='parameter(0)')
  return _element(argument, index)


def _element(of, index):
  return _Instruction('GetTupleElement', of, text=f'get(), index={index}')


def _loop(name, start, stop, step, computations, inside=(), initial=None):
  """Adds `for i in range(start, stop, step)` around the loops `inside`.

  Its state is (i, a number that stays). `stop` is an instruction; `initial` is
  the number.
  """
  counter = _Instruction('Add', _state(0), _number(step))
  state = _Instruction('Tuple', counter, _state(1), *inside)
  computations[f'{name}.body'] = [*inside, state]
  test = _Instruction(
      'Compare', _state(0), stop, text='compare(), direction=LT'
  )
  computations[f'{name}.condition'] = [test]
  start = _Instruction('Copy', _number(start))
  return _Instruction(
      'While',
      _Instruction('Tuple', start, initial or _number(0)),
      text=f'while(), condition=%{name}.condition, body=%{name}.body',
  )


def test_operations_of_loops_are_counted_as_often_as_they_run():
  """One loop in another, and one beside them, whose bodies XLA counts once."""
  computations = {}
  inner = _loop('inner', 2, _number(12), 2, computations)  # 5 times
  outer = _loop('outer', 0, _number(3), 1, computations, [inner])
  beside = _loop('beside', 0, _number(7), 1, computations)
  computations['main'] = [outer, beside]
  # XLA's count of outer.body holds inner's once, and that of main all.
  once = {'inner.body': 10, 'outer.body': 110, 'beside.body': 1000}
  once['main'] = 5 + 110 + 1000
  total = tpu_compiler.repeated(
      'main', computations, lambda name: once.get(name, 0)
  )
  assert total == 5 + 3 * (100 + 5 * 10) + 7 * 1000


def test_a_loop_back_runs_as_often_as_the_one_before():
  """TensorFlow's loop of a gradient is bounded by what another counted."""
  computations = {}
  forward = _loop('forward', 0, _number(9), 1, computations)
  counted = _element(forward, 0)
  back = _loop('back', 0, _state(1), 1, computations, initial=counted)
  assert tpu_compiler.iterations(back, computations) == 9


def test_a_loop_of_unknown_length_is_not_guessed():
  """Unless there is nothing in it to count."""
  computations = {}
  bound = _Instruction('Parameter', text='parameter(0)')
  computations['main'] = [_loop('open', 0, bound, 1, computations)]

  def total(once):
    return tpu_compiler.repeated('main', computations, lambda _: once)

  assert total(0.0) == 0.0
  assert math.isnan(total(1.0))
