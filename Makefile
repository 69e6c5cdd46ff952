# 常用命令 / everyday verbs. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench trace screenshots clean
PYTHON := .venv/bin/python
export SANDBOX_ENGINE ?= unix:///run/sandbox-engine/docker.sock
# Some machines set it; each of the many processes would then compile all of the code anew.
export PYTHONDONTWRITEBYTECODE :=

help: ## 列出命令 / list the verbs
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

setup: ## 安装并启动所需的一切（可重复运行） / install and start what is missing, quick when run again
	@scripts/setup

# At the end the console stays, on the demo's data, with its address and three accounts printed.
demo: setup ## 演示全流程，留下控制台；DATA=文件.csv 用自己的数据，KEEP=0 停掉控制台 / play the whole path, leave the console; DATA=file.csv for your own data, KEEP=0 stops the console
	.venv/bin/sandbox demo $(if $(filter 0,$(KEEP)),--stop,--keep $(if $(DATA),--data $(DATA)))

# A process per core; ARGS="-n 0" for one only, ARGS=tests/unit/test_x.py for a selection. The floor of
# coverage is looked at when a test has failed, too.
test: setup ## 全部测试与覆盖率下限；ARGS=… 交给 pytest / all tests, and the floor of coverage; ARGS=… for pytest
	@$(PYTHON) -m pytest -q -n $$(nproc) --maxprocesses 8 --cov=sandbox --cov-branch --cov-report= $(ARGS); \
	  tests=$$?; $(PYTHON) -m tests.coverage_floor && exit $$tests

check: ## 静态检查，不改任何文件 / static checks, changes nothing
	$(PYTHON) -m ruff check . scripts/engine scripts/slurm scripts/runtime
	$(PYTHON) -m ruff format --check . scripts/engine scripts/slurm scripts/runtime
	$(PYTHON) -m mypy
	$(PYTHON) -m mypy scripts/engine
	$(PYTHON) -m mypy scripts/slurm
	$(PYTHON) -m mypy scripts/runtime
	.venv/bin/lint-imports

bench: setup ## 运行全部测量 / run every measurement
	@set -e; for measurement in $$(grep -L '^import atheris' $$(grep -l __main__ benchmarks/*.py)); do $(PYTHON) "$$measurement"; done

trace: setup ## 需求与测试对照 / requirements against tests
	$(PYTHON) -m tests.trace

# The browser tests take every page in both languages; the guides show some of them, made small.
screenshots: setup ## 用浏览器测试重拍指南里的截图 / take the pictures of the guides anew, with the browser tests
	rm -rf var/screenshots
	SCREENSHOTS=var/screenshots $(PYTHON) -m pytest -q -n 0 tests/functional/test_console_browser.py -k accessible
	$(PYTHON) scripts/screenshots.py var/screenshots

clean: ## 删除生成物（容器引擎与数据保留） / remove what was generated, not the engine nor its data
	rm -rf var/stamps var/image-layers var/images.json build htmlcov .coverage .coverage.* \
	  .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find sandbox tests benchmarks images -name __pycache__ -type d -prune -exec rm -rf {} +
