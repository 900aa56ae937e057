# The image of heliod, with helioctl and helio-pe in it. Not root: uid and gid 10179.
#
#   docker build -t heliograph .
#   buildah bud --isolation chroot --storage-driver vfs --format docker --build-arg BASE=localhost/bookworm-base -t heliograph .
# PACKAGES=prebuilt takes the packages of build/release/packages (deploy/debian/build.sh) instead of compiling them.
ARG BASE=debian:bookworm-slim
ARG PACKAGES=build

# deps: what deploy/packages.sh says. Changes rarely, so this layer is reused.
FROM ${BASE} AS deps
ARG PACKAGES
COPY deploy/packages.sh /src/deploy/packages.sh
RUN [ "$PACKAGES" = prebuilt ] || bash -c 'source /src/deploy/packages.sh && install_packages "${build_packages[@]}" "${package_packages[@]}"'

# build: the same packages as for a machine, in /packages.
FROM deps AS build
ARG PACKAGES
ARG COMMIT=unknown
COPY . /src
RUN [ "$PACKAGES" = prebuilt ] || HELIO_COMMIT=$COMMIT bash /src/deploy/debian/build.sh; mkdir /packages && cp /src/build/release/packages/heliograph_*.deb /packages/

# files: what lab and runtime share.
FROM ${BASE} AS files
ARG VERSION=0.1.0
ARG COMMIT=unknown
COPY --from=build /packages/ /packages/
RUN groupadd --gid 10179 heliograph \
 && useradd --uid 10179 --gid 10179 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin heliograph \
 && apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends /packages/heliograph_*.deb \
 && rm -rf /packages /var/lib/apt/lists/* /var/cache/apt /var/log/* \
 && install -d -o 10179 -g 10179 -m 0750 /run/heliograph /var/lib/heliograph
COPY configs/container.toml /etc/heliograph/heliograph.toml
LABEL org.opencontainers.image.title="heliograph" \
      org.opencontainers.image.description="BGP route reflector for MPLS L3VPN" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /var/lib/heliograph
EXPOSE 179/tcp 9179/tcp
# SIGTERM: the end, with Cease/Administrative Shutdown unless graceful restart keeps the routes (heliod(8), SIGNALS).
STOPSIGNAL SIGTERM
# Healthy is converged: in the first minutes after a start the neighbours still send.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5m --retries=3 CMD ["helioctl", "health", "--ready"]
ENTRYPOINT ["/usr/bin/heliod"]
CMD ["--config", "/etc/heliograph/heliograph.toml"]

# lab: for containerlab, which sets addresses with ip in the container (docker build --target lab -t heliograph:lab .).
FROM files AS lab
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends iproute2 iputils-ping && rm -rf /var/lib/apt/lists/*

FROM files AS runtime
USER 10179:10179
