# An own server. On a machine without a GPU build with the CPU's torch, which saves gigabytes:
#   docker build --build-arg PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu .
FROM python:3.12-slim

ARG PIP_EXTRA_INDEX_URL=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

# Libraries first: they change less often than the program.
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt "psycopg[binary]>=3.1"
COPY . .

# A user without rights: it may read the program, and write the workspace only.
RUN useradd --system --uid 10001 --create-home fgdemo \
    && mkdir /workspace \
    && chown fgdemo:fgdemo /workspace \
    && python -m compileall -q fgdemo
USER fgdemo
VOLUME /workspace

ENV FGDEMO_HOME=/workspace \
    FGDEMO_LOG=json \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_TEMP_DIR=/tmp/uploads \
    HF_HOME=/workspace/hub
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=8)"]
CMD ["python", "-m", "fgdemo", "serve"]
