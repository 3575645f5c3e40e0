# One image for all roles of a run (launch/kubernetes/README.md):
#
#   docker build -t r2i_tf .
#   docker run r2i_tf r2i-tasks
#
# It has the classic stack of TensorFlow, the only one that has Reverb. For a
# learner on an NVIDIA GPU: --build-arg EXTRAS=gpu,reverb,suites

FROM python:3.11-slim-bookworm AS build
ARG EXTRAS=cpu,reverb,suites
WORKDIR /source
COPY pyproject.toml setup.py README.md LICENSE ./
COPY r2i_tf r2i_tf
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .
# The whole environment is what the next stage takes: no pip cache, no compiler.
COPY constraints/classic.txt ./
RUN python -m venv /opt/r2i_tf && /opt/r2i_tf/bin/pip install --no-cache-dir \
    -c classic.txt "$(echo /wheels/r2i_tf-*.whl)[$EXTRAS]"

FROM python:3.11-slim-bookworm
# EGL renders for MuJoCo. A first process takes no signal that it has not asked
# for, such as SIGTERM while TensorFlow loads, so tini is the first.
RUN apt-get update && apt-get install -y --no-install-recommends \
    libegl1 libopengl0 tini && rm -rf /var/lib/apt/lists/*
# By number, which is what Kubernetes compares.
RUN useradd --uid 1000 --user-group --create-home r2i
COPY --from=build /opt/r2i_tf /opt/r2i_tf
ENV PATH=/opt/r2i_tf/bin:$PATH PYTHONUNBUFFERED=1
USER 1000:1000
WORKDIR /home/r2i
ENTRYPOINT ["tini", "--"]
CMD ["r2i-train", "--help"]
