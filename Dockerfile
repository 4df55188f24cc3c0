# echo-rt with the page, the DICOM node and reports; docs/container.md says how to run it.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ \
 && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/echo-rt
WORKDIR /source
COPY . .
RUN /opt/echo-rt/bin/python -m pip install --no-cache-dir --constraint constraints.txt '.[web,node,reports]'

FROM python:3.11-slim-bookworm
# OpenCV draws with libgl1 and libglib2.0-0; Pango draws the letters of a PDF.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends fonts-dejavu-core libgl1 libglib2.0-0 libpango-1.0-0 libpangoft2-1.0-0 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 echo-rt \
 && install --directory --owner=echo-rt --group=echo-rt /data
COPY --from=build /opt/echo-rt /opt/echo-rt
ENV PATH=/opt/echo-rt/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
USER echo-rt
WORKDIR /data
VOLUME /data
EXPOSE 8080 11112
ENTRYPOINT ["echo-rt"]
CMD ["--help"]
