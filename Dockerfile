# JupyterLab with Hindsight's kernels and notebooks, on XLA for the processor.
#
#   docker build -t hindsight .
#   docker run --rm -p 127.0.0.1:8888:8888 hindsight
#
# It runs as any user whose group is 0 (-u "$(id -u):0"), needs no network, and
# nothing that it needs lies in the home directory. docker/check builds and proves it.

# Exact tags; give a digest (BASE=debian@sha256:…) where your registry has one.
# BASE is a Debian or Ubuntu with Python 3.10 or newer, GO anything with Go 1.26
# or newer in /usr/local/go. Without a registry of images, docker/bases makes both.
ARG GO=golang:1.26.8-trixie
ARG BASE=debian:trixie-20260202-slim

FROM ${GO} AS go

# Cells are compiled, so Go and a C compiler stay in the image.
FROM ${BASE} AS system
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates dataset-fashion-mnist gcc libc6-dev python3 python3-venv tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/* /var/log/apt/* /var/log/dpkg.log
COPY --from=go /usr/local/go /usr/local/go
# A user who is not in /etc/passwd has neither home nor name but for these variables,
# and Jupyter must start where the home directory cannot be written.
ENV PATH=/opt/env/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    HOME=/home/hindsight USER=hindsight LOGNAME=hindsight \
    JUPYTER_RUNTIME_DIR=/tmp/jupyter \
    HINDSIGHT_PREFIX=/opt/env \
    GOPATH=/opt/go GOCACHE=/opt/go/build GOFLAGS=-modcacherw GOTOOLCHAIN=local

FROM system AS build
# For builders behind a mirror or proxy. (HTTP_PROXY and its like need no ARG.)
ARG GOPROXY
ARG GOSUMDB
ARG PIP_INDEX_URL
ARG PIP_CERT
WORKDIR /opt/hindsight
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The same setup as on any machine. Its first run, with a cache that is thrown away,
# builds all programs; the second leaves in the cache what cells are built from.
RUN GOCACHE=/tmp/once go run ./kernels setup \
 && GOCACHE=/tmp/once go build -ldflags='-s -w' -o /opt/env/bin/kernels ./kernels \
 && kernels setup \
 && rm -rf /tmp/once /opt/env/share/hindsight/setup.log \
 && chmod -R g=u /opt

FROM system
RUN useradd --uid 1000 --gid 0 --create-home --home-dir /home/hindsight --shell /bin/bash hindsight \
 && chmod g=u /home/hindsight \
 && ln -s /opt/env/lib/pjrt /usr/local/lib/go-xla
COPY --from=build --chown=1000:0 /opt /opt
ARG VERSION=unreleased
ARG REVISION=unknown
ARG BASE
# docker/check compares the last four with go.mod and the lock file.
LABEL org.opencontainers.image.title="Hindsight" \
      org.opencontainers.image.description="Optimization and online learning in Go: JupyterLab, kernels, library and notebooks" \
      org.opencontainers.image.source="https://github.com/hindsight-go/hindsight" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}" \
      io.github.hindsight-go.gomlx="v0.28.2" \
      io.github.hindsight-go.go-xla="v0.4.1" \
      io.github.hindsight-go.gonb="v0.11.4" \
      io.github.hindsight-go.jupyterlab="4.6.6"
USER 1000
WORKDIR /opt/hindsight
EXPOSE 8888
# Podman and Buildah keep it with --format docker only.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "/opt/hindsight/docker/health.py"]
ENTRYPOINT ["tini", "-s", "--"]
# The address is the container's own: publish it on the loopback, as above.
# JUPYTER_TOKEN sets the token; else a new one is in the address that is printed.
CMD ["kernels", "lab", "--host", "0.0.0.0", "--port", "8888", "--no-browser"]
