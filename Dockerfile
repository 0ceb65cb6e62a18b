# The workflow and all that its jobs need, in one image, for CPUs and GPUs: PyTorch's own package brings CUDA, so a GPU
# needs no more than its driver and `--gpus all`. A smaller image for CPUs alone: TORCH_INDEX names PyTorch's index of
# CPU builds, as its installation page gives it.
#
#   docker build -t foldgraft .
#   docker build -t foldgraft:cpu --build-arg TORCH_INDEX=URL .
#   docker run --rm -v "$PWD":/data foldgraft run --config mine.yaml --cores 4
#   docker run --rm --gpus all -v "$PWD":/data foldgraft run --config mine.yaml --cores 8 --resources gpu=1
#   apptainer run docker-daemon://foldgraft:latest demo --cores 2
FROM python:3.12-slim

ARG TORCH_INDEX=""
WORKDIR /opt/foldgraft
COPY constraints.txt ./
# The version is that of constraints.txt, which hadolint cannot see.
# hadolint ignore=DL3013
RUN torch="$(grep '^torch==' constraints.txt)" \
    && pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$torch"
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY src src
COPY workflow workflow
COPY config config
COPY envs envs
RUN pip install --no-cache-dir --constraint constraints.txt .

# Whoever runs it may have no home and no name there.
ENV HOME=/tmp XDG_CACHE_HOME=/tmp/cache
WORKDIR /data
ENTRYPOINT ["foldgraft"]
CMD ["--help"]
