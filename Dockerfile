# For linux/amd64: Box2D has no wheel for Linux on ARM. There, `--platform linux/amd64` builds it for emulation.
FROM python:3.13.15-slim-trixie AS base
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore


FROM base AS wheel
WORKDIR /src
COPY requirements-build.lock ./
RUN pip install --require-hashes --only-binary=:all: -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY gym_llm gym_llm
COPY app app
COPY env_plugins env_plugins
COPY migrations migrations
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .


FROM base AS build
RUN python -m venv --without-pip /opt/gym-llm
COPY requirements.lock ./
RUN pip --python /opt/gym-llm/bin/python install --require-hashes --only-binary=:all: -r requirements.lock
COPY --from=wheel /wheels /wheels
RUN pip --python /opt/gym-llm/bin/python install --no-deps --no-index /wheels/*.whl


FROM base
# The number is fixed because files on shared folders belong to it.
RUN groupadd --gid 10001 gym-llm \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin gym-llm \
    && install --directory --owner=10001 --group=10001 --mode=0750 /data
COPY --from=build /opt/gym-llm /opt/gym-llm
ENV PATH=/opt/gym-llm/bin:$PATH \
    HOME=/data \
    GYM_LLM_DATA_DIR=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SDL_AUDIODRIVER=dummy \
    SDL_VIDEODRIVER=dummy
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# Not urllib: it would ask the proxy that the environment may name.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=3); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["gym-llm"]
CMD ["serve", "--host", "0.0.0.0"]
