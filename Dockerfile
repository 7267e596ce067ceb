# syntax=docker/dockerfile:1

# docker build --build-arg VERSION=1.0.0 --build-arg COMMIT=$(git rev-parse HEAD) --build-arg DATE=$(git show -s --format=%cI) -t graphproxy:1.0.0 .
# The compiler runs on the builder's own platform, also for another one: docker buildx build --platform linux/amd64,linux/arm64.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
ARG COMMIT=
ARG DATE=
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT} -X main.date=${DATE}" \
    -o /out/graphproxy ./cmd/graphproxy

# No shell, no package manager, no libc: the binary, the roots that sign Microsoft's certificates, and a user that is not root.
# It writes nothing, so that the root file system may be read-only.
FROM scratch
ARG VERSION=devel
ARG COMMIT=
ARG DATE=
LABEL org.opencontainers.image.title="graphproxy" \
      org.opencontainers.image.description="An authenticating reverse proxy to Microsoft Graph" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.created="${DATE}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/graphproxy /graphproxy
USER 65532:65532
# In a container the loopback address is of the container alone: callers and probes come from outside.
ENV GRAPHPROXY_LISTEN=:8080 GRAPHPROXY_ADMIN_LISTEN=:8081 GRAPHPROXY_POLICY=/etc/graphproxy/policy.yaml
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s --retries=3 CMD ["/graphproxy", "healthcheck"]
ENTRYPOINT ["/graphproxy"]
CMD ["serve"]
