# One image for every process: the command decides (socialsyncer api, python -m worker, socialsyncer migrate).

FROM python:3.13-slim AS build
RUN pip install --no-cache-dir uv
ENV UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/socialsyncer
WORKDIR /src
# Dependencies first: they change less often than the code.
COPY pyproject.toml README.md ./
RUN uv sync --no-default-groups --no-install-project
COPY . .
RUN uv sync --no-default-groups --no-editable

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent socialsyncer
COPY --from=build /opt/socialsyncer /opt/socialsyncer
ENV PATH=/opt/socialsyncer/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SOCIALSYNCER_API_HOST=0.0.0.0
WORKDIR /tmp
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=6 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["socialsyncer", "api"]
