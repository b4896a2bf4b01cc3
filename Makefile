# Everything lives in .venv, in the lab's own folder and in node_modules of the JavaScript client, but Debian's HAProxy, and for tests the
# servers of databases and compilers.
PYTHON ?= $(shell tools/interpreter.sh)
VENV   := .venv
BIN    := $(VENV)/bin

# Options of the lab that `make demo` and `make demo-oaktree` start, as in: make demo LAB=--gateway-only
LAB ?=

# It would have every start of the clouds and the client compile everything again.
unexport PYTHONDONTWRITEBYTECODE

AS_ROOT = as_root=$$([ "$$(id -u)" = 0 ] || echo sudo -n)
APT = { $$as_root apt-get -qq update && $$as_root env DEBIAN_FRONTEND=noninteractive \
  apt-get -qq install -y --no-install-recommends $(1); } > /dev/null

.PHONY: install haproxy services-for-tests browser node definitions definitions-check clients demo demo-oaktree demo-regions demo-aggregator test test-full unit integration real lint docs bench clean

install: $(VENV)/.installed haproxy services-for-tests browser node
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt uv
	@$(BIN)/python -P src/openstackoid/lab/installing.py pip install -q -p $(BIN)/python -c constraints.txt -e '.[dev]'
	@touch $@

# The lab runs it before its gateways.
haproxy:
	@if ! PATH="$$PATH:/usr/local/sbin:/usr/sbin" command -v haproxy > /dev/null; then \
	  $(AS_ROOT); if command -v apt-get > /dev/null && $$as_root true 2> /dev/null; then \
	    $(call APT,haproxy) || echo "Cannot install haproxy: 'make demo LAB=--gateway-only' does without." >&2; \
	  else echo "HAProxy is missing: apt-get install haproxy, or make demo LAB=--gateway-only" >&2; fi; fi

# PostgreSQL, MariaDB and Redis, of which tests start servers of their own; sshd and the checkers of systemd and Prometheus, for deploy/;
# qemu-img, for images; compilers of definitions, of C++, Go, Java and Ruby with their libraries, for clients of oaktree. Where they cannot be installed, those tests fail and
# say so.
SERVICES := postgresql mariadb-server-core mariadb-client-core redis-server openssh-server openssh-client systemd qemu-utils prometheus \
  protobuf-compiler protobuf-compiler-grpc protobuf-compiler-grpc-java-plugin protoc-gen-go protoc-gen-go-grpc \
  g++ pkg-config libgrpc++-dev libprotobuf-dev libcurl4-openssl-dev golang-go golang-google-grpc-dev golang-google-protobuf-dev \
  golang-github-golang-protobuf-1-5-dev default-jdk-headless maven libmaven-compiler-plugin-java libmaven-resources-plugin-java \
  libgrpc-java libprotobuf-java libperfmark-java libnetty-java libgoogle-gson-java libgeronimo-annotation-1.3-spec-java ruby ruby-grpc
PROGRAMS := /usr/lib/postgresql/*/bin/postgres /usr/sbin/mariadbd /usr/bin/mariadb-install-db /usr/bin/redis-server /usr/sbin/sshd \
  /usr/bin/ssh /usr/bin/systemd-analyze /usr/bin/promtool /usr/bin/qemu-img /usr/bin/protoc /usr/bin/grpc_cpp_plugin /usr/bin/grpc_java_plugin \
  /usr/bin/protoc-gen-go /usr/bin/protoc-gen-go-grpc /usr/bin/g++ /usr/bin/pkg-config /usr/include/grpcpp/grpcpp.h \
  /usr/include/*/curl/curl.h /usr/bin/go /usr/share/gocode/src/google.golang.org/grpc /usr/bin/mvn /usr/share/java/grpc-netty.jar \
  /usr/share/java/perfmark-api.jar /usr/share/maven-repo/org/apache/maven/plugins/maven-compiler-plugin /usr/bin/ruby
services-for-tests:
	@if ! ls $(PROGRAMS) > /dev/null 2>&1; then \
	  $(AS_ROOT); if command -v apt-get > /dev/null && $$as_root true 2> /dev/null; then \
	    $(call APT,$(SERVICES)) || echo "Cannot install $(SERVICES): the tests that need them will fail." >&2; \
	  else echo "Install $(SERVICES): the tests that need them will fail without." >&2; fi; fi

# For tests of pages, as Horizon's.
browser:
	@if ! ls /usr/bin/chromium-headless-shell > /dev/null 2>&1; then \
	  $(AS_ROOT); if command -v apt-get > /dev/null && $$as_root true 2> /dev/null; then \
	    $(call APT,chromium-headless-shell) || echo "Cannot install chromium-headless-shell: the tests of pages will fail without chromium." >&2; \
	  else echo "Install chromium-headless-shell: the tests of pages will fail without it or chromium." >&2; fi; fi

# For the JavaScript client, and buf: Node.js from 20 on, and packages of npm.
PACKAGE := clients/javascript
node: $(PACKAGE)/node_modules/.installed
$(PACKAGE)/node_modules/.installed: $(PACKAGE)/package.json
	@if ! command -v npm > /dev/null; then $(AS_ROOT); $(call APT,nodejs npm) || true; fi
	@if (cd $(PACKAGE) && npm install --no-audit --no-fund --loglevel=error > /dev/null); then touch $@; \
	  else echo "Cannot install npm's packages in $(PACKAGE): tests of definitions and of the JavaScript client will fail." >&2; fi

# From openstacksdk's classes: definitions, stubs, the catalog of kinds.
definitions: $(VENV)/.installed
	@$(BIN)/python -m tools.definitions
definitions-check: $(VENV)/.installed node
	@$(BIN)/python -m tools.definitions --check

# Messages and stubs for other languages, in build/clients; the JavaScript package is built in its own folder.
clients: $(VENV)/.installed node
	@$(BIN)/python -m tools.clients
	@cd $(PACKAGE) && npm run --silent build

demo: $(VENV)/.installed $(if $(findstring --gateway-only,$(LAB)),,haproxy)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/demo.py $(LAB)
demo-oaktree: $(VENV)/.installed $(if $(findstring --gateway-only,$(LAB)),,haproxy)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/demo_oaktree.py $(LAB)
demo-regions: $(VENV)/.installed $(if $(findstring --gateway-only,$(LAB)),,haproxy)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/demo_regions.py $(LAB)
demo-aggregator: $(VENV)/.installed $(if $(findstring --gateway-only,$(LAB)),,haproxy)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/demo_aggregator.py $(LAB)

lint: $(VENV)/.installed
	@$(BIN)/ruff check -q . && $(BIN)/ruff format -q --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache > $(VENV)/imports.txt || (cat $(VENV)/imports.txt; false)

# Parts of the tests side by side, and a summary: tools/check.py. `unit` is tests of values only, in ten seconds; `integration` all but those
# on real clouds. With `test-full`, proofs by volume have their whole volume.
CHECK = $(BIN)/python -m tools.check
unit: $(VENV)/.installed
	@$(CHECK) unit
integration: install
	@$(CHECK) integration
real: $(VENV)/.installed haproxy browser node
	@$(CHECK) real
test: install
	@$(CHECK)
test-full: install
	@OPENSTACKOID_FULL=1 $(CHECK)

# The site, in build/docs/index.html; a link or an anchor that leads nowhere is an error.
docs: $(VENV)/.installed
	@$(BIN)/sphinx-build -q -n -W --keep-going -c docs -d build/doctrees -b html . build/docs

bench: $(VENV)/.installed
	@$(BIN)/openstackoid lab up --dir $(VENV)/bench-lab --address 127.0.61.0
	@$(BIN)/python -m bench --real --lab $(VENV)/bench-lab; status=$$?; \
	  $(BIN)/openstackoid lab reset --dir $(VENV)/bench-lab; exit $$status

clean:
	@rm -rf $(VENV) build $(PACKAGE)/node_modules $(PACKAGE)/dist $(PACKAGE)/src/gen
