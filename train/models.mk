# From the data to every shipped file:  make models CAMUS=... NEGATIVES=...
# Each stage is one training, and goes on from its last epoch when it was interrupted. A stage that is done is left alone.
CAMUS ?= $(or $(ECHO_RT_CAMUS),../shared/camus)
NEGATIVES ?= $(or $(ECHO_RT_NEGATIVES),../shared/negatives)
RUNS ?= runs
# Version 7 begins with the weights of version 6. From the data alone cavity, wall and atrium are up to 0.013 lower (LOG.md):
# make models BEGIN=runs/broad/weights.safetensors MILD='epochs=50 learning_rate=1.2e-3'
BEGIN ?= models/lv-edge-6.safetensors
MILD ?=
# Each of three networks judges the third of the patients and of the sources that it has not seen.
FOLDS ?= 1 2 3
ECHO_RT = $(BIN)/echo-rt
TRAIN = $(ECHO_RT) train resume=true readers=2
DATA = data.root=$(CAMUS) negatives.root=$(NEGATIVES)
# The figures are those of the processor's engine in FP32, on every machine.
export ECHO_RT_MEASURE = 0
HELD_OUT = $(FOLDS:%=$(RUNS)/held-%/weights.safetensors)

.PHONY: models
models: models/lv-phantom.fp32.onnx models/lv-edge.md
	@$(MAKE) --no-print-directory models-precisions

$(RUNS)/lv-phantom/weights.safetensors: | $(VENV)/.dev
	$(TRAIN) +experiment=lv-phantom out=$(@D)

models/lv-phantom.fp32.onnx: $(RUNS)/lv-phantom/weights.safetensors
	$(ECHO_RT) export onnx $< -o $@
	$(ECHO_RT) export weights $< -o models/lv-phantom.safetensors

$(RUNS)/broad/weights.safetensors: $(RUNS)/lv-phantom/weights.safetensors
	$(TRAIN) +experiment=lv-edge-broad $(DATA) init=$< out=$(@D)

$(RUNS)/mild/weights.safetensors: $(BEGIN)
	$(TRAIN) +experiment=lv-edge-mild $(DATA) init=$< out=$(@D) $(MILD)

$(RUNS)/lv-edge/weights.safetensors: $(RUNS)/mild/weights.safetensors
	$(TRAIN) +experiment=lv-edge $(DATA) init=$< out=$(@D)

# Without a third of the patients and of the sources of negatives: what is tuned is tuned on these.
$(FOLDS:%=$(RUNS)/fold-%/weights.safetensors): $(RUNS)/fold-%/weights.safetensors: $(RUNS)/lv-phantom/weights.safetensors
	$(TRAIN) +experiment=lv-edge-fold $(DATA) data.hold_out=$*/3 init=$< out=$(@D)

$(HELD_OUT): $(RUNS)/held-%/weights.safetensors: $(RUNS)/fold-%/weights.safetensors
	$(TRAIN) +experiment=lv-edge-mild $(DATA) data.hold_out=$*/3 init=$< out=$(@D) epochs=30 learning_rate=1.2e-3 \
		mix.phantoms=1000 negatives.organs=600

$(RUNS)/tuning.json: $(HELD_OUT) $(RUNS)/lv-edge/weights.safetensors
	$(ECHO_RT) tune $(HELD_OUT:/weights.safetensors=) --model $(RUNS)/lv-edge --data $(CAMUS) --negatives $(NEGATIVES) -o $@

# The figures in the model's file are measured on the file without them.
$(RUNS)/evaluation.json: $(RUNS)/lv-edge/weights.safetensors $(RUNS)/tuning.json
	$(ECHO_RT) export onnx $< --tuning $(RUNS)/tuning.json -o $(RUNS)/measured.onnx
	$(ECHO_RT) evaluate $(RUNS)/measured.onnx --data $(CAMUS) --shifts --negatives $(NEGATIVES) --json > $@.part
	mv $@.part $@

models/lv-edge.fp32.onnx: $(RUNS)/evaluation.json
	$(ECHO_RT) export onnx $(RUNS)/lv-edge --tuning $(RUNS)/tuning.json --figures $< -o $@
	$(ECHO_RT) export weights $(RUNS)/lv-edge -o models/lv-edge.safetensors --tuning $(RUNS)/tuning.json

models/lv-edge.md: models/lv-edge.fp32.onnx
	$(ECHO_RT) card $< --evaluation $(RUNS)/evaluation.json --tuning $(RUNS)/tuning.json -o $@
