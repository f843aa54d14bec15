# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
# Where torch comes from: its CPU build is a tenth of the CUDA one. Empty takes the default index.
ARG TORCH_INDEX_URL=""
WORKDIR /src
RUN python -m venv /opt/vecinity
ENV PATH=/opt/vecinity/bin:$PATH
COPY constraints.txt ./
RUN pip install --no-cache-dir --constraint constraints.txt ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} torch==2.13.0
COPY pyproject.toml README.md LICENSE ./
COPY protos protos
COPY indexer indexer
COPY service service
COPY clients clients
RUN pip install --no-cache-dir --constraint constraints.txt '.[server,minilm,fast]'

FROM python:3.11-slim-bookworm
# HTTP/2 for the faster of the two edges.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends 'libnghttp2-14=1.52.*' \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/vecinity /opt/vecinity
# The compiled kernels of word2vec are code, so they don't lie in the data volume.
ENV PATH=/opt/vecinity/bin:$PATH \
    HF_HUB_OFFLINE=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    VECINITY_DATA_DIR=/data
RUN useradd --uid 10001 --create-home vecinity && install --directory --owner vecinity /data
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 50051
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["vecinity", "collections", "--json", "--timeout", "4"]
ENTRYPOINT ["vecinity"]
CMD ["serve", "--data-dir", "/data", "--listen", "0.0.0.0:50051", "--log-format", "json"]
