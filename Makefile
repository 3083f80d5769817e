# The stage graph, and nothing that Cargo already knows.
#
#   make all                              the painted sample data set, offline
#   make all DATASET=mine RAW=my/photos   your own photos, one folder a class
#   make all DATASET=stanford-dogs        120 breeds, downloaded (0.8 GB), on the official split
#   make all RECIPE=tindogr-2018          as the post of 2018 did it, mistakes included
#
# Every stage has one target, the last file that it writes. A stage's parameters are one of its
# prerequisites: $(W)/args/<stage>, rewritten only when its content changes.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SECONDARY:
.DEFAULT_GOAL := help

DATASET ?= sample
W ?= data/runs/$(DATASET)
RAW ?= $(W)/raw
PROFILES ?= $(W)/profiles/profiles.csv

# The post's recipe sets the parameters below; what is set by hand comes before it. Its head is the
# default one. `shear_range=0.2` is taken as radians, 11.5 degrees, as Keras up to 2.1.2 did; later ones
# read 0.2 degrees, which nobody would write on purpose. What random weights need (STANDARDIZE) both get.
RECIPE ?= default
ifeq ($(RECIPE),tindogr-2018)
RATIO ?= 0.7,0,0.3
UNSHUFFLED ?= yes
COPIES ?= 1
REPLACE ?= all
AUGMENT_FLAGS ?= --rotation-range 40 --width-shift-range 0.2 --height-shift-range 0.2 --shear-range 11.5 \
  --zoom-range 0.2 --fill-mode nearest --output-size 64x64 --format png
PRESET ?= tindogr-2018
IMAGE_SIZE ?= 64
BATCH_SIZE ?= 10
KEEP ?= last
PATIENCE ?= 0
else ifneq ($(RECIPE),default)
$(error RECIPE is "$(RECIPE)": default or tindogr-2018, please)
endif

# Parameters. An empty one means the program's own default.
SEED ?= 42
THREADS ?= 0
PER_CLASS ?=
RATIO ?=
UNSHUFFLED ?=
SPLIT_LIST ?= $(if $(DOGS),$(if $(RATIO)$(UNSHUFFLED),,$(W)/lists/train_list.mat$(,)$(W)/lists/test_list.mat))
# yes: train on the dog alone, by the boxes of Stanford Dogs' annotations; or a folder of annotations of your own.
CROP_TO_BOX ?=
# Another server for Stanford Dogs; empty: the authors' own.
MIRROR ?=
TREE ?= none
# Painted dogs stand upright in the middle: small movements make copies that are like the test pictures.
COPIES ?= $(if $(filter sample,$(DATASET)),2,1)
REPLACE ?=
AUGMENT_FLAGS ?= --horizontal-flip $(if $(filter sample,$(DATASET)),--rotation-range 8 --width-shift-range 0.05 \
  --height-shift-range 0.05 --shear-range 4 --zoom-range 0.1)
# ImageNet's, fetched once (FULL=yes: with the dense layers); random ones for the sample, which is offline.
WEIGHTS ?= $(if $(filter sample,$(DATASET)),seeded,hub)
FULL ?=
PRESET ?= torchvision
# The painted dogs are drawn large and simple: 96 px are enough, and five times faster than 224.
IMAGE_SIZE ?= $(if $(filter sample,$(DATASET)),96)
POOL ?= none
DTYPE ?= f32
# A full weights file: its own head, which knows the breeds and takes unpooled features of 224 px, is measured
# beside the trained one.
IMAGENET ?= $(if $(and $(FULL),$(filter hub,$(WEIGHTS)),$(filter none,$(POOL))),$(if $(filter-out 224,$(IMAGE_SIZE)),,$(W)/weights/vgg16.tv_in1k.safetensors))
HIDDEN ?= 2056,1028
DROPOUT ?= 0.2
LEARNING_RATE ?= 0.01
# Random weights give badly scaled features; trained ones do not need it.
STANDARDIZE ?= $(if $(filter seeded,$(WEIGHTS)),yes)
EPOCHS ?= 50
BATCH_SIZE ?= 32
KEEP ?=
PATIENCE ?=
MY_DOG ?= golden_retriever
RULE ?= within-one-size

# Comparison with other engines. With a PEERS_PYTHON that has tests/peers/requirements.txt no venv is made.
PEERS_PYTHON ?=
PEERS_FLAGS ?=
PEERS_PHOTOS ?=

BIN ?= $(or $(CARGO_TARGET_DIR),target)/release
BUILD ?= cargo build --release --locked --workspace --bins

ifneq ($(words $(W)),1)
$(error W is "$(W)": a work directory without blanks, please)
endif

# flag(name,value): --name value, or nothing for an empty value.
flag = $(if $(strip $(2)),--$(1) '$(subst ','\'',$(strip $(2)))')

ANNOTATIONS = $(if $(filter yes,$(CROP_TO_BOX)),$(W)/annotations,$(CROP_TO_BOX))
common = --seed $(SEED) --threads $(THREADS)
args.sample = $(call flag,per-class,$(PER_CLASS)) --seed $(SEED)
args.split = --images '$(subst ','\'',$(RAW))' $(call flag,split-list,$(SPLIT_LIST)) $(call flag,ratio,$(RATIO)) $(if $(UNSHUFFLED),--unshuffled) $(call flag,tree,$(TREE)) $(call flag,crop-to-box,$(ANNOTATIONS)) --seed $(SEED)
args.augment = $(call flag,copies,$(COPIES)) $(call flag,replace-originals,$(REPLACE)) $(AUGMENT_FLAGS) --seed $(SEED)
args.extract = $(call flag,weights,$(WEIGHTS)) $(if $(FULL),--full) $(call flag,preset,$(PRESET)) $(call flag,image-size,$(IMAGE_SIZE)) \
  $(call flag,pool,$(POOL)) $(call flag,dtype,$(DTYPE)) --seed $(SEED)
args.train = $(call flag,hidden,$(HIDDEN)) $(call flag,dropout,$(DROPOUT)) $(if $(STANDARDIZE),--standardize) \
  $(call flag,learning-rate,$(LEARNING_RATE)) $(call flag,epochs,$(EPOCHS)) $(call flag,batch-size,$(BATCH_SIZE)) \
  $(call flag,keep,$(KEEP)) $(call flag,patience,$(PATIENCE)) --seed $(SEED)
args.evaluate = --manifest $(AUGMENT) $(call flag,imagenet,$(IMAGENET))
args.match = $(call flag,profiles,$(PROFILES)) $(call flag,my-dog,$(MY_DOG)) $(call flag,rule,$(RULE)) --seed $(SEED)

# ---------------------------------------------------------------------------------------------------
# The stages: target: what it depends on | programs

# The sample is painted into W, unless the pictures come from elsewhere.
SAMPLE   := $(if $(and $(filter sample,$(DATASET)),$(filter $(W)/raw,$(RAW))),$(W)/raw/.sample.json)
# Stanford Dogs is fetched into W, once, and split as its authors did unless RATIO or UNSHUFFLED say otherwise.
DOGS     := $(if $(and $(filter stanford-dogs,$(DATASET)),$(filter $(W)/raw,$(RAW))),$(W)/raw/.stanford-dogs.json)
SPLIT    := $(W)/split/manifest.csv
AUGMENT  := $(W)/augmented/manifest.csv
FEATURES := $(W)/features/index.json
HEAD     := $(W)/model/head.safetensors
METRICS  := $(W)/model/metrics.json
REPORT   := $(W)/model/report.html
MATCHES  := $(W)/matches/matches.html

.PHONY: all
all: report $(if $(SAMPLE)$(wildcard $(PROFILES)),match) ## everything: from the pictures to the report and the matches
	@echo
	@echo "open  $(REPORT)   how well it knows the breeds"
	@$(if $(SAMPLE)$(wildcard $(PROFILES)),echo "open  $(MATCHES)   whom to swipe right on",echo "no $(PROFILES): nobody to match with yet")

.PHONY: sample download split augment features train evaluate report match
sample: $(SAMPLE)     ## paint the sample data set
download: $(DOGS)     ## with DATASET=stanford-dogs: fetch and unpack it; goes on where it was interrupted
split: $(SPLIT)       ## list, check and split the pictures
augment: $(AUGMENT)   ## make more training pictures
features: $(FEATURES) ## push every picture through VGG-16 once
train: $(HEAD)        ## train the head on the features
evaluate: $(METRICS)  ## look at the test pictures, once
report: $(REPORT)     ## the report
match: $(MATCHES)     ## decide about the profiles

$(W)/raw/.sample.json: $(W)/args/sample | build
	$(BIN)/sample --out $(W)/raw --profiles $(W)/profiles $(args.sample) --threads $(THREADS)

$(W)/raw/.stanford-dogs.json: | build
	$(BIN)/stanford-dogs --out $(W) $(call flag,mirror,$(MIRROR))

$(SPLIT): $(W)/args/split $(W)/raw.list | build
	$(BIN)/splitter --out $(W)/split $(args.split) --threads $(THREADS) --force

$(AUGMENT): $(SPLIT) $(W)/args/augment | build
	$(BIN)/augmenter --manifest $(SPLIT) --out $(W)/augmented $(args.augment) --threads $(THREADS) --contact-sheet --force

$(FEATURES): $(AUGMENT) $(W)/args/extract | build
	$(BIN)/extractor --manifest $(AUGMENT) --out $(W)/features $(args.extract) --threads $(THREADS)

$(HEAD): $(FEATURES) $(W)/args/train | build
	$(BIN)/trainer fit --features $(W)/features --out $(W)/model $(args.train) --threads $(THREADS)

$(METRICS): $(HEAD) $(W)/args/evaluate | build
	$(BIN)/trainer evaluate --features $(W)/features --model $(W)/model $(args.evaluate) --threads $(THREADS)

$(REPORT): $(METRICS) | build
	$(BIN)/trainer report --features $(W)/features --model $(W)/model --manifest $(AUGMENT) --split-dir $(W)/split --threads $(THREADS)

$(MATCHES): $(HEAD) $(W)/args/match $(SAMPLE) $(wildcard $(PROFILES)) | build
	$(BIN)/matcher decide --model $(W)/model --weights $(if $(filter %.safetensors,$(WEIGHTS)),$(WEIGHTS),$(W)/weights) --out $(W)/matches $(args.match) --threads $(THREADS)

# ---------------------------------------------------------------------------------------------------
# The post's recipe beside the default one

# W itself is the default recipe's run; the third one is the post's on the default's split, its test pictures
# left as they are, so that the two heads can be compared.
RECIPES    := $(W)/recipes
COMPARISON := $(RECIPES)/comparison.html
with_recipe = +@$(MAKE) --no-print-directory report RAW='$(subst ','\'',$(RAW))' BUILD=: COPIES=1 IMAGENET=
ifneq ($(and $(filter compare-recipes,$(MAKECMDGOALS)),$(filter-out default,$(RECIPE))),)
$(error compare-recipes holds the other recipes against the default one: leave RECIPE out)
endif

.PHONY: compare-recipes
compare-recipes: $(COMPARISON) ## the post's recipe of 2018 beside the default one, on the same pictures
	@echo "open  $(COMPARISON)   what the post's recipe costs"

$(COMPARISON): $(REPORT) $(RECIPES)/tindogr-2018/model/report.html $(RECIPES)/tindogr-2018-same-test/model/report.html | build
	$(BIN)/trainer compare --out $@ --run default=$(W) --run tindogr-2018=$(RECIPES)/tindogr-2018 \
	  --run tindogr-2018-same-test=$(RECIPES)/tindogr-2018-same-test

$(RECIPES)/tindogr-2018/model/report.html: $(SAMPLE) FORCE | build
	$(with_recipe) W=$(RECIPES)/tindogr-2018 RECIPE=tindogr-2018

$(RECIPES)/tindogr-2018-same-test/model/report.html: $(SAMPLE) FORCE | build
	$(with_recipe) W=$(RECIPES)/tindogr-2018-same-test RECIPE=tindogr-2018 SPLIT_LIST='$(SPLIT_LIST)' RATIO='$(RATIO)' UNSHUFFLED='$(UNSHUFFLED)' REPLACE=train

# ---------------------------------------------------------------------------------------------------
# What the stages depend on beside each other

.PHONY: build
build:
	@$(BUILD)

.PHONY: FORCE
FORCE:

# Replaces a file if what the recipe prints differs from what is in it.
replace-if-changed = @mkdir -p $(@D); $(1) > $@.new; if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(W)/args/%: FORCE
	$(call replace-if-changed,printf '%s\n' "$$args")
$(W)/args/%: export args = $(args.$*)

# Names, sizes and times of the raw pictures: a picture added, removed or replaced is a change.
$(W)/raw.list: $(SAMPLE) $(DOGS) FORCE
	$(call replace-if-changed,find -L "$$RAW" $(if $(ANNOTATIONS),"$$ANNOTATIONS") -mindepth 2 -type f -not -name '.*' -printf '%P %s %T@\n' | LC_ALL=C sort)
$(W)/raw.list: export RAW := $(RAW)
$(W)/raw.list: export ANNOTATIONS := $(ANNOTATIONS)

# ---------------------------------------------------------------------------------------------------
# Around the stages

.PHONY: status
status: ## for each stage: up to date, or stale and because of what
	@stale=; \
	check() { name=$$1; target=$$2; args=$$3; shift 3; why=; \
	  if [ ! -e "$$target" ]; then why="not made yet"; else \
	    for p in "$$@"; do if [ "$$p" -nt "$$target" ]; then why="$${why:+$$why, }$$p is newer"; fi; done; \
	    if [ -n "$$args" ] && [ "$$args" != "$$(cat $(W)/args/$$name 2>/dev/null)" ]; then why="$${why:+$$why, }its parameters changed"; fi; \
	    if [ -n "$$stale" ]; then why="$${why:+$$why, }$$stale is stale"; fi; fi; \
	  if [ -n "$$why" ]; then printf '%-9s stale: %s\n' "$$name" "$$why"; stale=$$name; else printf '%-9s up to date\n' "$$name"; fi; }; \
	$(foreach s,sample split augment extract train evaluate match,args_$(s)='$(subst ','\'',$(args.$(s)))'; ) \
	$(if $(SAMPLE),check sample $(SAMPLE) "$$args_sample";) $(if $(DOGS),check download $(DOGS) "";) \
	check split $(SPLIT) "$$args_split" $$(find -L '$(RAW)' -maxdepth 1 -type d -newer $(SPLIT) 2>/dev/null | head -1); \
	check augment $(AUGMENT) "$$args_augment" $(SPLIT); \
	check extract $(FEATURES) "$$args_extract" $(AUGMENT); \
	check train $(HEAD) "$$args_train" $(FEATURES); \
	after_train=$$stale; \
	check evaluate $(METRICS) "$$args_evaluate" $(HEAD); \
	check report $(REPORT) "" $(METRICS); \
	stale=$$after_train; \
	check match $(MATCHES) "$$args_match" $(HEAD) $(wildcard $(PROFILES))

# Pictures to plan for before there is a manifest: those in RAW, else as many as there will be.
plan.pictures = $(if $(wildcard $(RAW)/*/),--plan-images '$(subst ','\'',$(RAW))',$(if $(filter sample,$(DATASET)),\
  --plan-pictures $(shell expr 12 '*' $(or $(PER_CLASS),60)),$(if $(filter stanford-dogs,$(DATASET)),--plan-pictures 10800$(,)1200$(,)8580)))
, := ,
plan.flags = --plan $(plan.pictures) $(call flag,plan-ratio,$(RATIO)) --threads $(THREADS) $(PLAN_FLAGS)
PLAN_FLAGS ?=

.PHONY: plan
plan: | build ## what augmenting and extraction will take, in time and on disk, before they start
	@$(BIN)/augmenter --manifest $(SPLIT) --out $(W)/augmented $(args.augment) $(plan.flags) \
	  --plan-copies $(if $(REPLACE),1,0,4)
	@$(BIN)/extractor --manifest $(or $(wildcard $(AUGMENT)),$(SPLIT)) --out $(W)/features $(args.extract) $(plan.flags) \
	  --plan-copies $(if $(REPLACE),0,0$(addprefix $(,),$(COPIES)),4)

.PHONY: test
test: ## all tests
	cargo test --release --locked --workspace

PEERS_VENV := tests/peers/.venv

.PHONY: peers
peers: $(if $(PEERS_PYTHON),,$(PEERS_VENV)/.installed) | build ## time the extractor beside other engines (PEERS_FLAGS='--rounds 5' PEERS_PHOTOS=folder)
	cargo build --release --locked -p extractor --example peer
	$(or $(PEERS_PYTHON),$(PEERS_VENV)/bin/python) tests/peers/engines.py $(PEERS_FLAGS)
	$(or $(PEERS_PYTHON),$(PEERS_VENV)/bin/python) tests/peers/stage.py $(call flag,photos,$(PEERS_PHOTOS)) $(PEERS_FLAGS)

.PHONY: parity
parity: $(if $(PEERS_PYTHON),,$(PEERS_VENV)/.installed) | build ## compare the features and the full classifier with torchvision's and Keras' (PEERS_PHOTOS=folder)
	cargo build --release --locked -p extractor -p trainer --example peer --example prepare --example imagenet
	$(or $(PEERS_PYTHON),$(PEERS_VENV)/bin/python) tests/peers/parity.py $(call flag,photos,$(PEERS_PHOTOS))
	$(or $(PEERS_PYTHON),$(PEERS_VENV)/bin/python) tests/peers/classifier.py $(call flag,photos,$(PEERS_PHOTOS))

$(PEERS_VENV)/.installed: tests/peers/requirements.txt
	python3 -m venv --clear $(PEERS_VENV)
	$(PEERS_VENV)/bin/pip install --quiet --requirement $<
	touch $@

.PHONY: lint
lint: ## formatting, clippy and documentation, warnings denied
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --locked --workspace --no-deps --document-private-items --lib

.PHONY: miri
miri: ## every memory access of the portable convolutions, checked by Miri (nightly Rust; 5 minutes)
	MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --locked -p extractor --lib -- conv3x3::tests::two_threads

ARM := aarch64-unknown-linux-gnu

.PHONY: neon
neon: ## the NEON convolutions on a machine without them (qemu-user, gcc-aarch64-linux-gnu, rustup target add $(ARM))
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='qemu-aarch64 -L /usr/aarch64-linux-gnu' \
	  cargo test --release --locked --target $(ARM) -p extractor --lib -- conv3x3::tests --skip vgg_16 --skip for_every_side

.PHONY: clean
clean: ## remove what the stages made for this DATASET; never your pictures, profiles or weights
	rm -rf $(W)/weights/vgg16-seeded-*.safetensors $(W)/weights/*-convolutions.safetensors $(W)/weights/.*.parts
	rm -rf $(W)/split $(W)/augmented $(W)/features $(W)/model $(W)/matches $(W)/args $(W)/recipes $(W)/raw.list \
	  $(if $(SAMPLE),$(W)/raw $(W)/profiles)

.PHONY: distclean
distclean: clean ## clean, and what Cargo built
	cargo clean

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 17
	@echo
	@echo "variables: DATASET=$(DATASET) RAW=$(RAW) RECIPE=$(RECIPE) SEED COPIES WEIGHTS FULL PRESET IMAGE_SIZE EPOCHS MY_DOG RULE ... (see the top of the Makefile)"
