# The core: docker build -f deploy/docker/core.Dockerfile -t mouthpiece-core .
#
# CUDA 12 and cuDNN 9, which is what onnxruntime's CUDA provider of
# ONNXRUNTIME_NODE_INSTALL=cuda12 is linked to. TensorRT is not in it.
# --build-arg EXECUTION_PROVIDERS=skip and --build-arg BASE=node:24.21.0-bookworm-slim
# give a small image that runs on CPUs.
#
# Node is process 1 and needs no init: it handles SIGTERM itself, and the device
# processes are its own children, which it waits for. Runs with a read-only root;
# /tmp and the model cache have to be writable.

ARG BASE=nvidia/cuda:12.9.1-cudnn-runtime-ubuntu24.04

FROM node:24.21.0-bookworm-slim AS build
ARG EXECUTION_PROVIDERS=cuda12
WORKDIR /app
COPY . .
# Builds too (`prepare`). The providers come from NuGet: the packages are too large for npm.
RUN --mount=type=cache,target=/root/.npm \
    ONNXRUNTIME_NODE_INSTALL=${EXECUTION_PROVIDERS} npm ci
# Other systems' onnxruntime is 190 MB.
RUN npm prune --omit=dev --ignore-scripts \
    && rm -rf node_modules/onnxruntime-node/bin/napi-v6/darwin \
              node_modules/onnxruntime-node/bin/napi-v6/win32

FROM ${BASE}
WORKDIR /app
# Needs glibc 2.28 and libstdc++, which every base here has.
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/proto/gen proto/gen
COPY --from=build /app/avatar avatar
COPY --from=build /app/gpu-core gpu-core
COPY --from=build /app/edge edge
COPY --from=build /app/cli cli
# HOME is where CUDA keeps what it has compiled. onnxruntime would report its use to its makers.
ENV NODE_ENV=production HOME=/tmp ORT_DISABLE_TELEMETRY=1
# A number: Kubernetes cannot tell whether a name is root (runAsNonRoot).
USER 10001:10001
EXPOSE 50051
# Exec form, or a shell would be process 1 and keep SIGTERM to itself.
ENTRYPOINT ["node", "--initial-old-space-size=256", "/app/cli/bin.js"]
CMD ["core", "--config", "/etc/mouthpiece/config.yaml"]
