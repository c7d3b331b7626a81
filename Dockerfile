# The image holds no redis-server: in a container Redis is a service of its own (docker-compose.yml), named by
# redis.url. Run it with `--init` (compose: `init: true`): as process 1 Node would not reap children.

FROM node:24-slim AS build
WORKDIR /app
# Packages first: they change less often than sources, so the layer is used again.
COPY package.json package-lock.json ./
RUN npm ci --include=dev --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY bin ./bin
COPY config ./config
# Compose may run it as any user (SLIPWAY_UID): like /tmp, /data lets each make its own folder.
RUN mkdir /data && chmod 1777 /data
VOLUME /data
ENV SLIPWAY_CONFIG=/app/config/docker.yaml
USER node
# Asks the running installation, its Redis included; starts nothing. `status` itself succeeds also where nothing runs.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
  CMD ["node", "/app/bin/slipway.cjs", "status", "--check"]
# The drain budget (shutdown.drain, 30 s) must fit into the stop timeout: `docker stop -t 40`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/bin/slipway.cjs"]
CMD ["run"]
