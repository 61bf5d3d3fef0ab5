# gravecli on the CPU. Build and use:
#   docker build -t gravecli .
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" gravecli predict-cemetery st_anna.tif
FROM python:3.13-slim

# The one library that the wheels of rasterio and fiona leave out.
RUN apt-get update \
    && apt-get install --no-install-recommends --yes libexpat1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY grave_cli grave_cli

# torch without CUDA: 200 MB instead of 5 GB. Both come from the same index, or torchvision does not fit. Of the
# packages that they need, this index has a few versions alone, not the tested ones: they follow from the usual index.
RUN pip install --no-cache-dir --no-deps --constraint constraints.txt \
        --index-url https://download.pytorch.org/whl/cpu torch torchvision \
    && pip install --no-cache-dir --constraint constraints.txt . \
    && rm -rf /source

# Any user may run it: its caches go where everybody can write.
ENV HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /work
ENTRYPOINT ["gravecli"]
CMD ["--help"]
