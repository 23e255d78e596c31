# The edge: docker build -f deploy/docker/edge.Dockerfile -t mouthpiece-edge .
#
# Node is process 1 and needs no init: it handles SIGTERM itself and starts no
# processes. Runs with a read-only root; only /tmp has to be writable.

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY . .
# Builds too (`prepare`): what it generates is not in the repository.
RUN --mount=type=cache,target=/root/.npm npm ci
# The edge runs no model and draws no avatar: these two are most of the size.
RUN npm prune --omit=dev --ignore-scripts \
    && rm -rf node_modules/onnxruntime-node node_modules/@resvg

FROM node:24.21.0-bookworm-slim
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/proto/gen proto/gen
COPY --from=build /app/avatar avatar
COPY --from=build /app/gpu-core gpu-core
COPY --from=build /app/edge edge
COPY --from=build /app/client/dist client/dist
COPY --from=build /app/cli cli
ENV NODE_ENV=production HOME=/tmp
# A number: Kubernetes cannot tell whether a name is root (runAsNonRoot).
USER 10001:10001
EXPOSE 8787
# Exec form, or a shell would be process 1 and keep SIGTERM to itself.
ENTRYPOINT ["node", "--initial-old-space-size=256", "/app/cli/bin.js"]
CMD ["edge", "--config", "/etc/mouthpiece/edge.yaml"]
