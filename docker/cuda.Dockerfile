# The image with XLA for NVIDIA GPUs added: some 6 GB of NVIDIA's libraries, under
# NVIDIA's own licences. The first start on a GPU runs a graph there and adds the
# kernel "Go (XLA CUDA)". It needs NVIDIA's container toolkit on the host.
#
#   docker build -t hindsight .
#   docker build -t hindsight:cuda -f docker/cuda.Dockerfile .
#   docker run --rm --gpus all -p 127.0.0.1:8888:8888 hindsight:cuda
#
# docker/check does not build this one: no project machine has both a GPU and a
# container engine.
ARG HINDSIGHT=hindsight
FROM ${HINDSIGHT}
ARG PIP_INDEX_URL
ARG PIP_CERT
USER 0
# Group 0 may write: the first start puts a link beside the plugin.
RUN umask 002 \
 && python -m pip --disable-pip-version-check install --no-cache-dir --require-hashes --only-binary :all: \
      --requirement kernels/python/requirements-cuda.txt
USER 1000
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
