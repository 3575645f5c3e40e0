"""Tests of launch/kubernetes: valid, of one piece, and true to the programs."""

import copy
import os
import re
import subprocess
import sys

import kubernetes_validate
import pytest

from tests.launch import manifests

_OLDEST = '1.29'
_NAME = 'app.kubernetes.io/component'
_CONFIG = '/etc/r2i/run.py'
_NAMES = [
    f'{each["kind"]}/{each["metadata"]["name"]}'
    for each in manifests.documents()
]
_CONTAINERS = [each['name'] for _, each in manifests.containers()]
# A learner for a shell: it is asked to stop, saves for as long as somebody
# wants, and ends with 0.
_LEARNER = """
import os, signal, sys
def save(*_):
  print('saving', flush=True)
  os.read(int(sys.argv[1]), 1)
  sys.exit(0)
signal.signal(signal.SIGTERM, save)
print('training', flush=True)
signal.pause()
"""


def _only(items):
  (item,) = items
  return item


def _container(name):
  return _only(
      each for _, each in manifests.containers() if each['name'] == name
  )


def _server():
  return _only(manifests.of_kind('StatefulSet'))


def _service():
  return _only(manifests.of_kind('Service'))


def _labels(document):
  return document['spec']['template']['metadata']['labels']


def _command(container, config):
  """Returns a command line, with the file of run.yaml in a place of here."""
  return [
      each.replace(_CONFIG, str(config))
      for each in manifests.command(container)
  ]


def _flag(container, name):
  return _only(
      each.partition('=')[2]
      for each in manifests.command(container)
      if each.startswith(f'--{name}=')
  )


@pytest.fixture
def config(tmp_path):
  """The file that run.yaml holds."""
  path = tmp_path / 'run.py'
  path.write_text(_only(manifests.of_kind('ConfigMap'))['data']['run.py'])
  return path


@pytest.mark.parametrize('for_gpu', [False, True])
@pytest.mark.parametrize('version', [_OLDEST, 'newest'])
def test_every_document_is_valid(version, for_gpu):
  """In the oldest Kubernetes that README.md names as in the newest."""
  if version == 'newest':
    version = kubernetes_validate.latest_version()
  for document in manifests.documents(for_gpu):
    validated = kubernetes_validate.validate(document, version, strict=True)
    assert version.startswith(validated)


@pytest.mark.parametrize('index', range(len(_NAMES)), ids=_NAMES)
def test_the_schema_is_one_that_refuses(index):
  """A misspelt field is found in each kind: the test above says something."""
  document = copy.deepcopy(manifests.documents()[index])
  document['metadata']['lables'] = {}
  with pytest.raises(kubernetes_validate.ValidationError):
    kubernetes_validate.validate(document, _OLDEST, strict=True)


def test_readme_names_what_is_there():
  """Every file has its row, and the version is the one that is tested."""
  text = (manifests.FOLDER / 'README.md').read_text(encoding='utf-8')
  rows = set(re.findall(r'^\| `(\w+\.yaml)` \|', text, re.M))
  assert rows == {path.name for path in manifests.FOLDER.glob('*.yaml')}
  assert f'**Kubernetes {_OLDEST}**' in text


def test_a_gpu_changes_the_learner_alone():
  """The marked lines ask for one GPU, in one container."""
  asking = [
      document['metadata']['name']
      for document in manifests.documents(for_gpu=True)
      if 'nvidia.com/gpu' in str(document)
  ]
  assert asking == ['learner']
  limits = [
      container['resources']['limits'].get('nvidia.com/gpu')
      for document in manifests.documents(for_gpu=True)
      if document['metadata']['name'] == 'learner'
      for container in manifests.pod(document)['initContainers']
      + manifests.pod(document)['containers']
  ]
  assert limits == [None, '1']


def test_selectors_match():
  """A workload owns its pods, and the Service and the policies find theirs."""
  pods = [_labels(document) for document in manifests.workloads()]
  for document in manifests.workloads():
    selector = document['spec'].get('selector')  # A Job makes its own.
    if selector:
      assert selector['matchLabels'].items() <= _labels(document).items()
  service = _only(manifests.of_kind('Service'))['spec']
  found = [pod for pod in pods if service['selector'].items() <= pod.items()]
  assert found == [_labels(_server())]
  everyone, server = (
      policy['spec']['podSelector']['matchLabels'].items()
      for policy in manifests.of_kind('NetworkPolicy')
  )
  assert all(everyone <= pod.items() for pod in pods)
  assert [pod for pod in pods if server <= pod.items()] == found


def test_the_server_is_reached_by_those_who_talk_to_it_and_nobody_else():
  """Reverb has no authentication: this is what there is in its place."""
  closed, opened = (
      policy['spec'] for policy in manifests.of_kind('NetworkPolicy')
  )
  assert closed['policyTypes'] == opened['policyTypes'] == ['Ingress']
  assert 'ingress' not in closed
  rule = _only(opened['ingress'])
  port = _only(_service()['spec']['ports'])
  assert _only(rule['ports']) == {'port': port['port'], 'protocol': 'TCP'}
  # No other namespace, no address.
  selector = _only(rule['from'])
  assert list(selector) == ['podSelector']
  admitted = _only(selector['podSelector']['matchExpressions'])
  assert (admitted['key'], admitted['operator']) == (_NAME, 'In')
  talking = {
      _labels(document)[_NAME]
      for document, container in manifests.containers()
      if any('--replay_address=' in each for each in container['args'])
  }
  assert set(admitted['values']) == talking == {'learner', 'collector'}


def test_ports_and_addresses_fit():
  """From the server's flag to its container, the Service and the clients."""
  service, server = _service(), _container('replay-server')
  port, outside = _only(server['ports']), _only(service['spec']['ports'])
  assert _flag(server, 'port') == str(port['containerPort'])
  assert outside['port'] == port['containerPort']  # It has no proxy.
  assert service['spec']['clusterIP'] == 'None'
  assert outside['targetPort'] == port['name']
  assert server['readinessProbe']['tcpSocket']['port'] == port['name']
  name = service['metadata']['name']
  assert _server()['spec']['serviceName'] == name
  for client in ('collector', 'learner'):
    address = _flag(_container(client), 'replay_address')
    assert address == f'{name}:{outside["port"]}'


@pytest.mark.parametrize('name', _CONTAINERS)
def test_commands_are_those_of_the_programs(name, config):
  """Each is parsed by its program: a flag that was renamed is an error."""
  container = _container(name)
  arguments = _command(container, config)
  flags = manifests.parsed(arguments)
  for argument in arguments[1:]:
    flag, _, value = argument[len('--') :].partition('=')
    found = flags[flag]
    if flag == 'config':
      assert found == 'reverb'  # The kind of replay that its run has.
    else:
      assert found == type(found)(value or True)


def test_volumes_and_claims_exist():
  """Each mount has its volume, each volume its claim or its ConfigMap."""
  claims = {
      each['metadata']['name']
      for each in manifests.of_kind('PersistentVolumeClaim')
  }
  maps = {
      each['metadata']['name']: each['data']
      for each in manifests.of_kind('ConfigMap')
  }
  used = set()
  for document, container in manifests.containers():
    volumes = {
        each['name']: each
        for each in manifests.pod(document).get('volumes', [])
    }
    for template in document['spec'].get('volumeClaimTemplates', []):
      volumes[template['metadata']['name']] = {}
    paths = {}
    for mount in container.get('volumeMounts', []):
      volume = volumes[mount['name']]
      paths[mount['mountPath']] = volume
      if 'persistentVolumeClaim' in volume:
        used.add(volume['persistentVolumeClaim']['claimName'])
    # What a flag names lies on a volume, and a file in a ConfigMap is there.
    for argument in manifests.command(container):
      flag, _, value = argument.partition('=')
      if not value.startswith('/'):
        continue
      (volume,) = (
          volume for path, volume in paths.items() if value.startswith(path)
      )
      if flag == '--config':
        assert value.rsplit('/')[-1] in maps[volume['configMap']['name']]
  assert used == claims


def test_the_evaluator_reads_what_the_learner_exports():
  """It looks into the learner's directory, on the same volume."""
  learner, evaluator = _container('learner'), _container('evaluator')
  workdir = _flag(learner, 'workdir')
  assert _flag(evaluator, 'policy') == f'{workdir}/policies/greedy'
  mount = _only(evaluator['volumeMounts'])
  assert mount in learner['volumeMounts']
  assert workdir.startswith(mount['mountPath'])


def test_one_image_without_privileges():
  """All roles are of one version; none is root or has more than it needs."""
  images = set()
  for document, container in manifests.containers():
    images.add(container['image'])
    spec = manifests.pod(document)
    assert spec['securityContext']['runAsNonRoot']
    assert spec['automountServiceAccountToken'] is False
    context = container['securityContext']
    assert context['allowPrivilegeEscalation'] is False
    assert context['capabilities'] == {'drop': ['ALL']}
    assert set(container['resources']['requests']) == {'cpu', 'memory'}
    assert 'command' not in container  # The image's tini stays the first.
  assert len(images) == 1


def test_the_server_has_time_for_its_last_checkpoint():
  """It gives a checkpoint so long; to be killed in it would lose it."""
  # Read, not imported: Reverb is of one stack only.
  source = manifests.ROOT / 'r2i_tf' / 'replay' / 'reverb' / 'server.py'
  (seconds,) = re.findall(
      r'^_CHECKPOINT_SECONDS = ([\d.]+)$', source.read_text('utf-8'), re.M
  )
  grace = manifests.pod(_server())['terminationGracePeriodSeconds']
  assert grace > float(seconds)


def _shell(*program, **options):
  """Starts a program in the shell that the learner has around it."""
  arguments = _container('learner')['args']
  around = arguments[: arguments.index('r2i-train')]
  assert around[:2] == ['sh', '-c']
  return subprocess.Popen(
      [*around, sys.executable, '-c', *program],
      stdout=subprocess.PIPE,
      text=True,
      **options,
  )


@pytest.mark.parametrize('code', [0, 2])
def test_a_learner_that_ends_by_itself_ends_its_container(code):
  """0 completes the Job, an error is one."""
  with _shell(f'raise SystemExit({code})') as process:
    assert process.wait(timeout=60) == code


def test_a_learner_that_was_stopped_does_not_complete_its_job():
  """It saves and ends with 0, but its pod was evicted: another has to come."""
  reading, writing = os.pipe()
  with _shell(_LEARNER, str(reading), pass_fds=[reading]) as process:
    assert process.stdout.readline() == 'training\n'
    process.terminate()
    assert process.stdout.readline() == 'saving\n'
    with pytest.raises(subprocess.TimeoutExpired):
      process.wait(timeout=0.5)  # Its container lasts until it has saved.
    os.write(writing, b'.')
    assert process.wait(timeout=60) == 75
  os.close(reading)
  os.close(writing)
