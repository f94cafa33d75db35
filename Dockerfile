# One image for every process: the command decides (socialsyncer api, python -m worker, socialsyncer migrate).

# docker compose passes it from deploy/images.env. Alone: docker build $(sed -n 's/^PYTHON/--build-arg &/p' deploy/images.env) .
ARG PYTHON_IMAGE

FROM ${PYTHON_IMAGE} AS build
ENV UV_LINK_MODE=copy
WORKDIR /src
# Every package must match a SHA-256 of these files. deploy/packages.py makes and checks them.
COPY deploy/requirements.txt deploy/requirements-build.txt deploy/
RUN pip install --no-cache-dir --require-hashes --requirement deploy/requirements-build.txt
# Dependencies first: they change less often than the code.
RUN uv venv --quiet /opt/socialsyncer \
    && uv pip sync --python /opt/socialsyncer --require-hashes --compile-bytecode deploy/requirements.txt
COPY . .
RUN uv build --wheel --no-build-isolation --out-dir /dist \
    && uv pip install --python /opt/socialsyncer --no-deps --offline --compile-bytecode /dist/*.whl \
    && cp deploy/requirements.txt /opt/socialsyncer/

FROM ${PYTHON_IMAGE}
RUN groupadd --system --gid 10001 socialsyncer \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent socialsyncer \
    # For the worker's temporary files and for uploads; a volume that is mounted there first gets this owner and mode.
    && install --directory --owner 10001 --group 10001 --mode 0700 /work /media \
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
