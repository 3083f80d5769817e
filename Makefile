# The order of the stages. Each stage decides itself whether it is up to date; the settings are in data/settings.mk.
#
#   make all                              the painted sample data set, offline
#   make classify PHOTO=my-dog.jpg        what a photo shows, without any training
#   make all DATASET=mine RAW=my/photos   your own photos, one folder a class
#   make all DATASET=stanford-dogs        120 breeds, downloaded (0.8 GB), on the official split
#   make all RECIPE=tindogr-2018          as the post of 2018 did it, mistakes included

.NOTPARALLEL:
.DEFAULT_GOAL := help
$(if $(filter-out Makefile ./Makefile,$(MAKEFILE_LIST)),$(error run make in the folder of the Makefile, or as make -C FOLDER))
include data/settings.mk

q    = '$(subst ','\'',$1)'
flag = $(if $2,--$1 $(call q,$2))
bin  = $(call q,$(BIN)/$1)
PROGRAMS := sample stanford-dogs weights splitter augmenter extractor trainer matcher
in   = $(call q,$(W)/$1)
common  = $(call flag,seed,$(SEED)) $(call flag,threads,$(THREADS))
boxes   = $(if $(call is,CROP_TO_BOX),$(W)/annotations,$(if $(filter-out $(NO),$(CROP_TO_BOX)),$(CROP_TO_BOX)))
model   = --features $(call in,features) --model $(call in,model) --manifest $(call in,augmented/manifest.csv)
weights = --weights $(call in,weights/$(BACKBONE).safetensors)
run.sample   = $(call bin,sample) --out $(call in,raw) --profiles $(call in,profiles) $(call flag,per-class,$(PER_CLASS)) $(common)
run.download = $(call bin,stanford-dogs) --out $(call q,$(W)) $(call flag,mirror,$(MIRROR))
run.split    = $(call bin,splitter) --images $(call q,$(RAW)) --out $(call in,split) $(call flag,split-list,$(SPLIT_LIST)) $(call flag,ratio,$(RATIO)) \
  $(if $(call is,UNSHUFFLED),--unshuffled) $(call flag,tree,$(TREE)) $(call flag,crop-to-box,$(boxes)) $(common) $(SPLIT_FLAGS)
run.augment  = $(call bin,augmenter) --manifest $(call in,split/manifest.csv) --out $(call in,augmented) --contact-sheet \
  $(call flag,copies,$(COPIES)) $(call flag,replace-originals,$(REPLACE)) $(common) $(AUGMENT_FLAGS)
run.weights  = $(call bin,weights) --out $(call in,weights) $(call flag,backbone,$(BACKBONE)) $(call flag,from,$(WEIGHTS)) $(if $(call is,FULL),--full) $(common)
run.features = $(call bin,extractor) --manifest $(call in,augmented/manifest.csv) --out $(call in,features) $(call flag,backbone,$(BACKBONE)) $(weights) $(call flag,preset,$(PRESET)) \
  $(call flag,image-size,$(IMAGE_SIZE)) $(call flag,pool,$(POOL)) $(call flag,dtype,$(DTYPE)) $(common) $(EXTRACT_FLAGS)
run.pretrained = $(call bin,trainer) pretrained --classifier $(call in,weights/$(BACKBONE)-classifier.safetensors) --out $(call in,model) $(common)
run.trained  = $(call bin,trainer) fit --features $(call in,features) --out $(call in,model) $(if $(call is,STANDARDIZE),--standardize) \
  $(call flag,init,$(INIT)) $(if $(filter pretrained,$(INIT)),--classifier $(call in,weights/$(BACKBONE)-classifier.safetensors)) \
  $(call flag,hidden,$(HIDDEN)) $(call flag,dropout,$(DROPOUT)) $(call flag,learning-rate,$(LEARNING_RATE)) $(call flag,momentum,$(MOMENTUM)) \
  $(call flag,weight-decay,$(WEIGHT_DECAY)) $(call flag,label-smoothing,$(LABEL_SMOOTHING)) $(call flag,class-weights,$(CLASS_WEIGHTS)) \
  $(call flag,epochs,$(EPOCHS)) $(call flag,batch-size,$(BATCH_SIZE)) $(call flag,keep,$(KEEP)) $(call flag,patience,$(PATIENCE)) $(common) $(TRAIN_FLAGS)
run.train    = $(run.$(MODEL))
run.evaluate = $(call bin,trainer) evaluate $(model) $(call flag,imagenet,$(filter-out $(NO),$(IMAGENET))) $(common) $(EVALUATE_FLAGS)
run.report   = $(call bin,trainer) report $(model) --split-dir $(call in,split) $(common) $(REPORT_FLAGS)
run.match    = $(call bin,matcher) decide --model $(call in,model) $(weights) --out $(call in,matches) \
  --profiles $(call q,$(PROFILES)) $(if $(own.profiles),,--if-any) $(call flag,my-dog,$(MY_DOG)) $(call flag,rule,$(RULE)) $(common) $(MATCH_FLAGS)

# What a photo shows: by the model of the data set that is named or, without one, by a classifier that needs no training.
classify: build ## what PHOTO, a photo or a folder of photos, shows: make classify PHOTO=my-dog.jpg
	@$(if $(PHOTO),,$(error give a photo or a folder of photos: make classify PHOTO=my-dog.jpg))$(if $(filter pretrained,$(MODEL)),mkdir -p $(call q,$(W)) && $(run.weights) --quiet && $(run.pretrained) --quiet &&) \
	$(call bin,matcher) classify --model $(call in,model) $(weights) $(CLASSIFY_FLAGS) $(call q,$(PHOTO))

# The pictures: painted or downloaded into W, unless they come from elsewhere.
SOURCE := $(if $(own.raw),,$(if $(filter sample,$(DATASET)),sample)$(if $(filter stanford-dogs,$(DATASET)),download))
CHAIN  := $(SOURCE) split augment weights features train

all: report match ## everything: from the pictures to the report and the matches
	@printf '\nopen  %s   how well it knows the breeds\n' $(call in,model/report.html)
	@if [ -e $(call in,matches/matches.html) ]; then printf 'open  %s   whom to swipe right on\n' $(call in,matches/matches.html); fi
sample:   settings    ## paint the sample data set
download: settings    ## with DATASET=stanford-dogs: fetch and unpack it; an interrupted download is resumed
split:    settings $(SOURCE) ## list, check and split the pictures
augment:  split       ## make more training pictures
weights:  augment     ## fetch, convert or draw the weights of the network
features: weights     ## compute the features of every picture with the network
train:    features    ## train the head on the features; an interrupted training is resumed
evaluate: train       ## evaluate on valid and test
report:   evaluate    ## the report
match:    train       ## decide about the profiles
sample download split augment weights features train evaluate report match:
	@$(run.$@)$(if $(from.file), || { code=$$?; if [ $$code = 2 ]; then printf '%s$(,) from %s; NAME= forgets one\n' \
	  $(call q,$(strip $(foreach v,$(from.file),$v=$($v)))) $(call in,settings.mk) >&2; fi; exit $$code; })

# A value that a stage refuses may be one that was given long ago.
from.file = $(filter $(remembered),$(kept))

# Written when stages run, not when they are only asked.
escaped = $(subst $(hash),\$(hash),$(subst $$,$$$$,$($1)))
settings: build
	@mkdir -p $(call q,$(W)); new=$(call in,.settings.mk.new); old=$(call in,settings.mk); \
	{ echo '# Settings of this data set, as they were given to make. Edit them, or: make all NAME=VALUE; NAME= forgets one.'; \
	$(foreach v,$(kept),printf '%s ?= %s\n' $v $(call q,$(call escaped,$v));) } > "$$new"; \
	if cmp -s "$$new" "$$old"; then rm "$$new"; else mv "$$new" "$$old"; fi

status: build ## for each stage: up to date, or stale and because of what
	@$(foreach v,$(kept),printf '%s = %s\n' $v $(call q,$($v));) first=; stale=; check() { \
	  name=$$1; shift; said=$$("$$@" --check 2>&1) || stale=$$name; if [ -n "$$first" ]; then said="$$said ($$first runs before it)"; fi; \
	  first=$${first:-$$stale}; printf '%s\n' "$$said" | sed "s/^/$$name	/" | expand -t 10; }; \
	$(foreach s,$(CHAIN),check $s $(run.$s);) trained=$$first; stale=; check evaluate $(run.evaluate); stale=; check report $(run.report); \
	first=$$trained; stale=; check match $(run.match)

# The post's recipe beside the default one; the third run is the post's on the default's split, its test pictures left
# as they are, so that two heads can be compared.
recipes = $(call in,recipes)/$1
recipe  = +@$(MAKE) --no-print-directory $1 W=$(call recipes,$2) BUILD=: DATASET=$(call q,$(DATASET)) RAW=$(call q,$(RAW)) COPIES=1 IMAGENET=no \
  $(foreach v,$(filter-out RAW RECIPE COPIES IMAGENET INIT,$(kept)),$v=$(call q,$($v))) RECIPE=tindogr-2018
as.default = REPLACE=train $(if $(SPLIT_LIST),SPLIT_LIST=$(call q,$(SPLIT_LIST)),RATIO=$(or $(RATIO),0.7$(,)0.15$(,)0.15) UNSHUFFLED=$(or $(UNSHUFFLED),no))
run.compare = $(call bin,trainer) compare --out $(call recipes,comparison.html) --run default=$(call q,$(W)) \
  $(foreach r,tindogr-2018 tindogr-2018-same-test,--run $r=$(call recipes,$r))
compare-recipes: $(if $(filter default,$(RECIPE)),report,alone) ## the post's recipe of 2018 beside the default one, on the same pictures
	$(call recipe,report,tindogr-2018)
	$(call recipe,report,tindogr-2018-same-test) $(as.default)
	@$(run.compare) && printf '\nopen  %s   what the post'"'"'s recipe costs\n' $(call recipes,comparison.html)
alone:
	$(error compare-recipes holds the other recipes against the default one: leave RECIPE out)

plan = --plan --plan-images $(call q,$(RAW)) --plan-pictures $(if $(filter stanford-dogs,$(DATASET)),10800$(,)1200$(,)8580,$$((12 * $(or $(PER_CLASS),60)))) \
  $(call flag,plan-ratio,$(RATIO)) $(PLAN_FLAGS)
plan: build ## what augmenting and extraction will take, in time and on disk, before they start
	@$(run.augment) $(plan)
	@$(run.features) $(plan) --plan-copies $(if $(REPLACE),0,0$(addprefix $(,),$(COPIES))$(,)4)

clean: build ## remove what was made for this DATASET: only files that the programs recorded
	@failed=0; $(foreach s,match report evaluate train features weights augment split $(SOURCE),$(run.$s) --clean || failed=1;) \
	  $(run.compare) --clean || failed=1; exit $$failed
	+@for r in tindogr-2018 tindogr-2018-same-test; do if [ -d $(call recipes,"$$r") ]; then $(MAKE) --no-print-directory clean BUILD=: \
	  W=$(call recipes,"$$r") DATASET=$(call q,$(DATASET)) RAW=$(call q,$(RAW)) && rm -f $(call recipes,"$$r"/settings.mk); fi; done

build:
	@$(BUILD)
test: ## all tests
	cargo test --release --locked --workspace
lint: ## formatting, clippy, documentation, and the licences and sources of dependencies
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --locked --workspace --no-deps --document-private-items --lib
	cargo deny --locked --log-level error check licenses bans sources
peers parity guide miri neon: ## other engines, Python or other machines beside ours: see tests/peers/Makefile
	@$(MAKE) --no-print-directory -f tests/peers/Makefile $@ BUILD=$(call q,$(BUILD)) PYTHON=$(call q,$(PEERS_PYTHON)) FLAGS=$(call q,$(PEERS_FLAGS)) PHOTOS=$(call q,$(PEERS_PHOTOS)) BACKBONE=$(call q,$(BACKBONE))
install: ## install the programs as tindogr-NAME, with man pages and completions, below PREFIX=/usr/local
	cargo build --profile dist --locked --workspace --exclude tests --bins
	@to=$(call q,$(DESTDIR)$(PREFIX)); mkdir -p "$$to/bin"; for p in $(PROGRAMS); do \
	  cp $(call q,$(or $(CARGO_TARGET_DIR),target)/dist)/"$$p" "$$to/bin/tindogr-$$p" && "$$to/bin/tindogr-$$p" --write-manual "$$to/share" || exit 1; done
	@printf 'installed tindogr-%s\n' $(PROGRAMS)
distclean: clean ## clean, and what Cargo built
	cargo clean
help: ## this list
	@sed -n 's/^\([a-z -]*\):[^#]*## /\1	/p' Makefile | expand -t 32
	@printf '\nmake TARGET DATASET=sample|stanford-dogs|NAME, and these, of which `make status` shows those that are set:\n'
	@$(foreach g,$(GROUPS),printf '%-9s %s\n' $g '$(settings.$g)';) printf '%-9s %s\n' other '$(OTHERS)'
.PHONY: all classify sample download split augment weights features train evaluate report match settings status compare-recipes alone plan clean build test lint peers \
  parity guide miri neon install distclean help
