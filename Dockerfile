# The app without Azure's host: the same code on the genuine Functions runtime, as `make run` starts it.
FROM python:3.13-slim AS dependencies
WORKDIR /app
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-virtualenv --requirement requirements.txt

FROM python:3.13-slim
ARG BUILD_ID=source
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=7071 DATA_DIR=/data
RUN useradd --system --uid 10001 --home-dir /data --create-home agent
WORKDIR /app
COPY --from=dependencies /venv /venv
COPY function_app.py host.json requirements.txt LICENSE ./
COPY models models
COPY functions functions
COPY shared shared
COPY local local
COPY tools tools
COPY samples samples
RUN echo "$BUILD_ID" >BUILD && python -m compileall -q function_app.py functions shared local tools
USER 10001
VOLUME /data
EXPOSE 7071
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7071/health/readiness', timeout=8)"]
STOPSIGNAL SIGTERM
CMD ["python", "-m", "local"]
