# Builds the binary of the `dist` profile and ships it alone.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --locked --profile dist --bin meshgate && cp target/dist/meshgate /usr/local/bin/meshgate

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin meshgate \
    && install -d -o meshgate -g meshgate /demo
COPY --from=build /usr/local/bin/meshgate /usr/local/bin/meshgate
USER meshgate
WORKDIR /tmp
EXPOSE 8815
# SIGTERM drains.
STOPSIGNAL SIGTERM
ENTRYPOINT ["meshgate"]
CMD ["serve", "--config", "/etc/meshgate/meshgate.toml"]
