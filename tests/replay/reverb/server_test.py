"""The replay server: its port, its checkpoints, what it says it is for."""

import socket

import pytest
import tensorflow as tf

reverb = pytest.importorskip('reverb')

from r2i_tf import errors  # noqa: E402
from r2i_tf.replay.reverb import connection  # noqa: E402
from r2i_tf.replay.reverb import identity  # noqa: E402
from r2i_tf.replay.reverb import reports  # noqa: E402
from r2i_tf.replay.reverb import weights  # noqa: E402
from r2i_tf.replay.reverb import writing  # noqa: E402
from r2i_tf.roles import ports  # noqa: E402
from tests.replay.reverb import servers  # noqa: E402


def _fill(address):
  writer = writing.SequenceWriter(
      address, servers.SPEC, 1, servers.settings(), 0
  )
  for number in range(40):
    writer.append(servers.steps(number, 1))
  for stream in writer._streams:
    stream.writer.flush()
  writer.close()


def test_a_port_in_use_is_refused():
  """Reverb itself would start, and nobody would ever reach it."""
  with socket.socket() as other:
    other.bind(('', 0))
    other.listen()
    port = other.getsockname()[1]
    with pytest.raises(errors.RunError, match=f'--port is {port}.*in use'):
      ports.free_port(port)


def test_it_goes_on_from_its_last_checkpoint(tmp_path):
  """With its sequences; older checkpoints are gone."""
  with servers.serve(tmp_path) as (address, server):
    _fill(address)
    server.save()
    server.save()
    held = server.size()
  assert len(list(tmp_path.iterdir())) == 1
  with servers.serve(tmp_path) as (_, server):
    assert server.sequences == held > 0


@pytest.mark.parametrize(
    'changes, expected',
    [
        ({'capacity': 50}, 'capacity in sequences are 100 there and 50 here'),
        ({'samples_per_insert': 3.0}, 'samples for each sequence are 2 there'),
        ({'min_size': 7}, 'first sequences are 1 there and 7 here'),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(tmp_path, changes, expected):
  """Reverb would go on with the old ones, and say nothing."""
  with servers.serve(tmp_path) as (_, server):
    server.save()
  with pytest.raises(errors.RunError, match=expected):
    with servers.serve(tmp_path, servers.settings(**changes)):
      pass


def test_a_checkpoint_of_another_task_is_refused(tmp_path):
  """Both are named."""
  with servers.serve(tmp_path) as (_, server):
    server.save()
  with pytest.raises(errors.RunError, match="task 'task'.*is for 'other'"):
    with servers.serve(tmp_path, identity_=servers.identity_of('other')):
      pass


def test_a_damaged_checkpoint_is_a_sentence(tmp_path):
  """It names the directory."""
  with servers.serve(tmp_path) as (address, server):
    _fill(address)
    server.save()
  for path in tmp_path.rglob('*.tfrecord'):
    path.write_bytes(path.read_bytes()[:-20])
  with pytest.raises(errors.RunError, match='cannot start from'):
    with servers.serve(tmp_path):
      pass


def test_whoever_joins_reads_what_it_is_for(tmp_path):
  """All of it, and the specs in their order."""
  own = servers.identity_of(config={'train_ratio': 2.0})
  with servers.serve(tmp_path, identity_=own) as (address, _):
    assert connection.read_identity(address) == own


def test_another_task_is_refused_with_both_specs():
  """So that one sees which of the two is wrong."""
  spec = {'left': tf.TensorSpec([3], tf.float32)}
  other = servers.identity_of('other', spec)
  with pytest.raises(errors.RunError) as caught:
    identity.check_same(servers.identity_of(), other, 'here:1', [])
  text = str(caught.value)
  assert "'task'" in text and 'place: int64 [2]' in text
  assert "'other'" in text and 'left: float32 [3]' in text


def test_another_setting_is_refused():
  """With its name and both values."""
  mine = servers.identity_of(config={'replay': {'stride': 2}})
  theirs = servers.identity_of(config={'replay': {'stride': 4}})
  with pytest.raises(errors.RunError, match='stride.*= 4, but.*has 2'):
    identity.check_same(theirs, mine, 'here:1', ['replay.stride'])


@pytest.mark.parametrize(
    'address', ['', 'host', ':1', 'host:port', 'host:0', 'host:70000']
)
def test_an_address_is_a_host_and_a_port(address):
  """Anything else is refused before anybody is asked."""
  with pytest.raises(errors.RunError, match='must be <host>:<port>'):
    connection.check_address(address)


def test_an_address_where_nothing_listens_is_a_sentence():
  """After the seconds that one was ready to wait."""
  port = ports.free_port(0)
  with pytest.raises(errors.RunError, match='nothing has listened'):
    connection.join(f'localhost:{port}', lambda: False, 0.3)


def test_a_call_that_does_not_return_is_given_up():
  """A server that is gone never answers."""
  import threading

  forever = threading.Event()
  with pytest.raises(connection.ServerGoneError):
    connection.call(forever.wait, seconds=0.3)
  forever.set()


def test_weights_are_those_that_were_published_last(tmp_path):
  """With their train step."""
  source = [tf.Variable([1.0, 2.0]), tf.Variable(3)]
  target = [tf.Variable([0.0, 0.0]), tf.Variable(0)]
  with servers.serve(tmp_path) as (address, _):
    client = reverb.Client(address)
    assert not weights.are_there(client)
    weights.push(client, 7, [v.numpy() for v in source])
    source[0].assign([4.0, 5.0])
    weights.push(client, 8, [v.numpy() for v in source])
    assert weights.are_there(client)
    assert [weights.pull(client, target) for _ in range(2)] == [8, 8]
  assert target[0].numpy().tolist() == [4.0, 5.0] and target[1].numpy() == 3


def test_weights_of_another_model_are_refused(tmp_path):
  """They might fit by chance, and mean something else."""
  with servers.serve(tmp_path) as (address, _):
    client = reverb.Client(address)
    weights.push(client, 0, [tf.constant([1.0, 2.0]).numpy()])
    with pytest.raises(errors.RunError, match='publishes weights of format'):
      weights.pull(client, [tf.Variable([[1.0, 2.0]])])


def test_a_report_is_read_once(tmp_path):
  """In the order in which they were sent."""
  sent = [reports.Report('a', n, 10 * n, n, 0, (0.5,)) for n in (1, 2, 3)]
  with servers.serve(tmp_path) as (address, _):
    client = reverb.Client(address)
    for report in sent:
      reports.push(client, report)
    assert reports.take(client) == sent
    assert reports.take(client) == []
