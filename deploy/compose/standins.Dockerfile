# Local stand-ins for the images that compose.yaml names, for `make check-compose` on a machine that reaches Debian's packages but
# no image registry. Each has the interface of the official image that compose.yaml uses: paths, user, entrypoint, variables.
# The base is a minimal Debian trixie, imported by scripts/check_compose.py.
ARG DEBIAN_BASE=vpin-check/debian
FROM ${DEBIAN_BASE} AS debian
ENV DEBIAN_FRONTEND=noninteractive

FROM debian AS python
RUN apt-get update -q && apt-get install -qy --no-install-recommends python3 python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/*

FROM debian AS rabbitmq
RUN apt-get update -q && apt-get install -qy --no-install-recommends rabbitmq-server \
    && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/.erlang.cookie \
    && chmod 1777 /var/log/rabbitmq \
    && printf '[rabbitmq_management,rabbitmq_prometheus].\n' > /etc/rabbitmq/enabled_plugins
# not the wrappers of /usr/sbin: they change the user and drop the environment
ENV HOME=/var/lib/rabbitmq LANG=C.UTF-8 RABBITMQ_LOGS=- PATH=/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
VOLUME /var/lib/rabbitmq
CMD ["rabbitmq-server"]

FROM debian AS postgres
RUN apt-get update -q && apt-get install -qy --no-install-recommends postgresql-17 \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/17 \
    && install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data \
    && install -d -o postgres -g postgres -m 3777 /var/run/postgresql
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
COPY --chmod=755 standin-postgres.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]

FROM debian AS haproxy
RUN apt-get update -q && apt-get install -qy --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/* \
    && install -d /usr/local/etc/haproxy
STOPSIGNAL SIGUSR1
USER haproxy
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
