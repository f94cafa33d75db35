# One image for every process: the command decides (socialsyncer api, python -m worker, socialsyncer migrate).

ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS base
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir "uv==${UV_VERSION}"
ENV UV_LINK_MODE=copy
WORKDIR /src

FROM base AS resolved
COPY pyproject.toml README.md ./
# The date in pyproject.toml decides what is found; the hashes, that every later step gets just that.
RUN uv lock && mkdir /lock \
    && uv export --quiet --frozen --no-emit-project --no-default-groups --output-file /lock/requirements.txt \
    && uv export --quiet --frozen --only-group build --output-file /lock/build.txt

# Alone, so that a build can take the hashes of an earlier one instead: docker build --build-context lock=FOLDER
FROM scratch AS lock
COPY --from=resolved /lock/ /

FROM base AS build
# Dependencies first: they change less often than the code.
COPY --from=lock / /lock/
RUN uv venv --quiet /opt/socialsyncer \
    && uv pip sync --python /opt/socialsyncer --require-hashes --compile-bytecode /lock/requirements.txt
COPY . .
RUN uv venv --quiet /build \
    && uv pip sync --python /build --require-hashes /lock/build.txt \
    && uv build --wheel --python /build --no-build-isolation --out-dir /dist \
    && uv pip install --python /opt/socialsyncer --no-deps --offline --compile-bytecode /dist/*.whl \
    && cp -r /lock /opt/socialsyncer/lock

FROM ${PYTHON_IMAGE}
RUN groupadd --system --gid 10001 socialsyncer \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent socialsyncer \
    # For the worker's media; a volume that is mounted there first gets this owner and mode.
    && install --directory --owner 10001 --group 10001 --mode 0700 /work \
    # Processes start here. A user who can write here can give them settings (.env).
    && install --directory /srv/socialsyncer
COPY --from=build /opt/socialsyncer /opt/socialsyncer
ENV PATH=/opt/socialsyncer/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    # Nothing is imported from the folder in which a process starts.
    PYTHONSAFEPATH=1 \
    SOCIALSYNCER_API_HOST=0.0.0.0
WORKDIR /srv/socialsyncer
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=6 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["socialsyncer", "api"]
