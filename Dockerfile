# A queen and a hive in one container, kept up. From a clone: docker build -t rbee .
FROM node:22-bookworm-slim AS build
WORKDIR /src
COPY . .
RUN npm ci --no-audit --no-fund
RUN npm pack --ignore-scripts --pack-destination /tmp
RUN npm install -g --prefix /opt/rbee --no-audit --no-fund /tmp/rbee-*.tgz

FROM node:22-bookworm-slim
COPY --from=build /opt/rbee /opt/rbee
RUN mkdir -p /var/lib/rbee && chown 1000:1000 /var/lib/rbee
# all that is kept lies in the volume: state, models, what was compiled. Reachable from outside, so a token is needed.
ENV PATH=/opt/rbee/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    RBEE_HOME=/var/lib/rbee \
    HF_HOME=/var/lib/rbee/huggingface \
    XDG_CACHE_HOME=/var/lib/rbee/cache \
    RBEE_QUEEN_HOST=0.0.0.0 \
    RBEE_QUEEN_IDLE_MS=never \
    RBEE_HIVE_IDLE_MS=never
USER 1000:1000
VOLUME /var/lib/rbee
EXPOSE 8500
# daemons that end are reaped by an init: docker run --init, as compose.yaml says it
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["rbee", "queen", "status"]
ENTRYPOINT ["rbee"]
CMD ["up", "--foreground"]
