"""Whether a configuration fits a TPU: what is asked and what is answered."""

import dataclasses
import json
import re
import types

import pytest

from r2i_tf import config as agent_config
from r2i_tf import devices
from r2i_tf import environments
from r2i_tf import errors
from r2i_tf import run_config
from r2i_tf import schema
from r2i_tf import tpu as preflight
from r2i_tf.tpu import remedies
from r2i_tf.training import parts as parts_lib
from tests.training import fakes

_GIB = 2**30
_ANSWER = {
    'argument_bytes': 3 * _GIB,
    'output_bytes': 2 * _GIB + 7,
    'alias_bytes': 2 * _GIB,
    'temporary_bytes': 10 * _GIB,
    'code_bytes': 5,
    'flops': 2e9,
    'repeated_flops': 3e12,
    'bytes_accessed': 4.0 * _GIB,
    'repeated_bytes': None,
    'exchanges': 3,
    'compile_seconds': 75.0,
}
_REFUSAL = {
    'refused': (
        'RESOURCE_EXHAUSTED: E1000: CompileTimeHbmOom: Ran out of memory on'
        ' HBM, the total memory required for HLO temporaries (78.18G) exceeds'
        ' available HBM (15.75G). HLO module: a_train_step.\nSee https://x.'
    ),
    'compile_seconds': 20.0,
}


def _check(
    tmp_path, answer, topology='v5e:2x2', parts=None, replicas=1, **changes
):
  """Checks with a compiler that answers so; what it got, and the report."""
  got = []

  def compile_for_tpu(hlo, topology, replicas):
    got.append((hlo, topology, replicas))
    return answer

  def build_agent(time_step_spec, *_):
    return types.SimpleNamespace(
        time_step_spec=time_step_spec,
        train_step_hlo=lambda b, t, replicas: (
            f'{b} x {t} of {replicas} for' f' {devices.target().value}'.encode()
        ),
    )

  report = preflight.check(
      fakes.config(**changes),
      topology,
      str(tmp_path / 'run'),
      replicas,
      parts or parts_lib.RunParts(build_agent, fakes.load_batch, fakes.load),
      compile_for_tpu,
  )
  return got, report


def test_a_step_that_fits(tmp_path, capsys):
  """The parts are told and add up; aliased outputs are not counted twice."""
  got, report = _check(tmp_path, _ANSWER)
  assert got == [(b'2 x 8 of 1 for tpu', 'v5e:2x2', 1)]
  assert report.fits and report.shrinkable == ()
  assert report.needed_bytes == 13 * _GIB + 12
  text = preflight.describe(report)
  assert 'it fits: it needs 13.00 GiB of 15.75 GiB\nleft over: 2.75 GiB' in text
  for part in (
      '3.00 GiB',
      '7 bytes',
      '10.00 GiB',
      '2.00 G',
      '3.00 T',
      '1m15s',
      'unknown',
  ):
    assert part in text
  lines = capsys.readouterr().err.splitlines()
  assert [line.split()[0] for line in lines] == ['tracing', 'compiling']
  record = json.loads((tmp_path / 'run' / 'preflight.json').read_text())
  assert record['memory']['temporaries'] == 10 * _GIB
  assert record['config']['task'] == 'countdown/5'


def test_a_program_that_cannot_be_read(tmp_path):
  """What the compiler says of it stands, and what we count is unknown."""
  counted = dict.fromkeys(('exchanges', 'repeated_flops', 'repeated_bytes'))
  _, report = _check(tmp_path, {**_ANSWER, **counted})
  assert report.fits
  text = preflight.describe(report)
  assert '4.00 GiB' in text and text.count('unknown') == 3
  record = json.loads((tmp_path / 'run' / 'preflight.json').read_text())
  assert record['cost']['exchanges'] is None


def test_replicas_share_a_batch(tmp_path):
  """Each has its part, and the compiler is told how many there are."""
  got, report = _check(tmp_path, _ANSWER, replicas=2)
  assert got == [(b'1 x 8 of 2 for tpu', 'v5e:2x2', 2)]
  assert (report.replicas, report.batch_size) == (2, 1)
  text = preflight.describe(report)
  assert '1 x 8 steps on each of 2 chips of v5e:2x2' in text


@pytest.mark.parametrize('replicas', [0, 3, 5])
def test_replicas_that_cannot_be(tmp_path, replicas):
  """More than there are chips, none, or a number that splits a sequence."""
  with pytest.raises(errors.RunError, match=f'--replicas is {replicas}, '):
    _check(tmp_path, _ANSWER, replicas=replicas)
  assert not (tmp_path / 'run').exists()


def test_a_step_that_does_not_fit(tmp_path):
  """It is told by how many bytes, and by which fields, with their values."""
  answer = {**_ANSWER, 'temporary_bytes': 14 * _GIB}
  _, report = _check(tmp_path, answer)
  assert not report.fits
  over = 17 * _GIB + 12 - round(15.75 * _GIB)
  text = preflight.describe(report)
  assert 'it does not fit: it needs 17.00 GiB of 15.75 GiB' in text
  assert f'too much by: 1.25 GiB, {over:,} bytes' in text
  assert re.search('replay.batch_size +2 ', text)
  # The same step on a chip with more memory.
  assert _check(tmp_path, answer, 'v5p:2x2x1')[1].fits


def test_fields_that_cannot_shrink_are_not_named():
  """Advice that cannot be followed is none."""
  config = fakes.config(
      agent=agent_config.R2IConfig(precision=agent_config.Precision.FLOAT32)
  )
  names = [name for name, _ in remedies.fields(config, has_images=True)]
  assert names == list(remedies.REMARKS)
  for name in names:
    schema.check_name(run_config.RunConfig, name)
  small = dataclasses.replace(
      config,
      replay=run_config.ReplayConfig(batch_size=1, sequence_length=2),
      agent=agent_config.R2IConfig(
          world_model=agent_config.WorldModelConfig(
              sequence_model=agent_config.SequenceModelConfig(
                  kind=agent_config.SequenceModelKind.GRU
              )
          ),
          behavior=agent_config.BehaviorConfig(starts_per_sequence=1),
          precision=agent_config.Precision.MIXED_BFLOAT16,
      ),
  )
  assert remedies.fields(small, has_images=False) == (
      ('agent.behavior.horizon', 15),
      ('agent.world_model.sequence_model.width', 1024),
  )


@pytest.mark.parametrize(
    'message',
    [
        _REFUSAL['refused'],
        'RESOURCE_EXHAUSTED: Ran out of memory in memory space hbm. Used 78.18G'
        ' of 15.75G hbm. Exceeded hbm capacity by 62.43G.',
    ],
)
def test_a_compiler_that_runs_out_of_memory(tmp_path, message):
  """That is no failure but the answer, though without parts."""
  _, report = _check(tmp_path, {**_REFUSAL, 'refused': message})
  assert not report.fits and report.memory is None
  over = round(78.18 * _GIB) - round(15.75 * _GIB)
  text = preflight.describe(report)
  assert f'too much by: 62.43 GiB, about {over:,} bytes' in text
  assert 'replay.batch_size' in text


def test_another_refusal_is_an_error(tmp_path):
  """What is not about memory is not taken for it; no old answer stays."""
  _check(tmp_path, _ANSWER)
  refusal = {'refused': 'INTERNAL: no.\nmore', 'compile_seconds': 1.0}
  with pytest.raises(errors.RunError, match='train step: INTERNAL: no.$'):
    _check(tmp_path, refusal)
  assert not (tmp_path / 'run' / 'preflight.json').exists()


@pytest.mark.parametrize('topology', ['v9:2x2', 'v5e:3x3', 'v5e', ''])
def test_an_unknown_topology_is_one_sentence(tmp_path, topology):
  """Before anything is loaded or written, the known ones are named."""
  with pytest.raises(errors.RunError) as caught:
    _check(
        tmp_path, _ANSWER, topology, parts=parts_lib.RunParts(None, None, None)
    )
  message = str(caught.value)
  assert len(message.splitlines()) == 1 and repr(topology) in message
  assert 'v5e: with 1x1, 2x2' in message and 'v4: with' in message
  assert not (tmp_path / 'run').exists()


def test_a_task_that_cannot_be_loaded_leaves_nothing(tmp_path):
  """The loader's sentence is passed on before the compiler is installed."""
  with pytest.raises(environments.UnknownTaskError):
    _check(tmp_path, _ANSWER, parts=parts_lib.R2I_PARTS, task='nothing/0')
  assert not (tmp_path / 'run').exists()


def test_a_workdir_that_cannot_be_written_is_one_sentence(tmp_path):
  """It is found out before the minutes of tracing and compiling."""
  (tmp_path / 'run').touch()
  with pytest.raises(errors.RunError, match='cannot be made: .* is a file'):
    _check(tmp_path, _ANSWER)
