package nets

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// gpts are GPT-2's published sizes, and the tiny one of the optimizer experiments, for any vocabulary.
var gpts = map[string]GPTConfig{
	// Radford et al. (2019), table 2, with the head and width of the released files; the table's parameter counts are off.
	"gpt2":        {Vocab: 50257, Context: 1024, Width: 768, Layers: 12, Heads: 12, Tied: true, FusedQKV: true},
	"gpt2-medium": {Vocab: 50257, Context: 1024, Width: 1024, Layers: 24, Heads: 16, Tied: true, FusedQKV: true},
	"gpt2-large":  {Vocab: 50257, Context: 1024, Width: 1280, Layers: 36, Heads: 20, Tied: true, FusedQKV: true},
	"gpt2-xl":     {Vocab: 50257, Context: 1024, Width: 1600, Layers: 48, Heads: 25, Tied: true, FusedQKV: true},
	// The quick-scale model of the optimizer papers: 26 784 parameters with 16 tokens, 58 528 with 512.
	"gpt-tiny": {Vocab: 16, Context: 32, Width: 32, Layers: 2, Heads: 4, Hidden: 128, RMSNorm: true, NoBiases: true},
}

// llamas are the sizes of Zhao et al. (2024), GaLore, table 5, which FRUGAL and SWAN take over.
var llamas = map[string]LLaMAConfig{
	"llama-60m":  {Vocab: 32000, Width: 512, Layers: 8, Heads: 8, Hidden: 1376},
	"llama-130m": {Vocab: 32000, Width: 768, Layers: 12, Heads: 12, Hidden: 2048},
	"llama-350m": {Vocab: 32000, Width: 1024, Layers: 24, Heads: 16, Hidden: 2736},
	"llama-1b":   {Vocab: 32000, Width: 2048, Layers: 24, Heads: 32, Hidden: 5461},
	"llama2-7b":  {Vocab: 32000, Width: 4096, Layers: 32, Heads: 32, Hidden: 11008}, // Touvron et al. (2023), Llama 2
	// Ours, to try a training program out: 2 million parameters, nearly all of them of the vocabulary.
	"llama-tiny": {Vocab: 32000, Width: 32, Layers: 2, Heads: 4, Hidden: 88},
}

// vits are the sizes of Dosovitskiy et al. (2021), table 1, and of Touvron et al. (2021), DeiT, for S.
var vits = map[string]ViTConfig{
	"vit-s/16": {Side: 224, Patch: 16, Classes: 1000, Width: 384, Layers: 12, Heads: 6, FusedQKV: true},
	"vit-s/32": {Side: 224, Patch: 32, Classes: 1000, Width: 384, Layers: 12, Heads: 6, FusedQKV: true},
	"vit-b/16": {Side: 224, Patch: 16, Classes: 1000, Width: 768, Layers: 12, Heads: 12, FusedQKV: true},
	// Ours: 28×28 grey pictures in 16 patches.
	"vit-tiny": {Side: 28, Channels: 1, Patch: 7, Classes: 10, Width: 32, Layers: 2, Heads: 4, Hidden: 128},
}

// resnets are the published sizes, for 32×32 pictures in ten classes.
var resnets = map[string]ResNetConfig{
	// He et al. (2016), section 4.2: three stages of n blocks, 6n+2 layers, for CIFAR; 8 is ours.
	"resnet8":   {Blocks: []int{1, 1, 1}, Widths: []int{16, 32, 64}, PaddedShortcuts: true},
	"resnet20":  {Blocks: []int{3, 3, 3}, Widths: []int{16, 32, 64}, PaddedShortcuts: true},
	"resnet32":  {Blocks: []int{5, 5, 5}, Widths: []int{16, 32, 64}, PaddedShortcuts: true},
	"resnet44":  {Blocks: []int{7, 7, 7}, Widths: []int{16, 32, 64}, PaddedShortcuts: true},
	"resnet56":  {Blocks: []int{9, 9, 9}, Widths: []int{16, 32, 64}, PaddedShortcuts: true},
	"resnet110": {Blocks: []int{18, 18, 18}, Widths: []int{16, 32, 64}, PaddedShortcuts: true},
	// Table 1 of the same, with the stem for small pictures.
	"resnet18":  {Blocks: []int{2, 2, 2, 2}, Widths: []int{64, 128, 256, 512}},
	"resnet34":  {Blocks: []int{3, 4, 6, 3}, Widths: []int{64, 128, 256, 512}},
	"resnet50":  {Blocks: []int{3, 4, 6, 3}, Widths: []int{64, 128, 256, 512}, Bottleneck: true},
	"resnet101": {Blocks: []int{3, 4, 23, 3}, Widths: []int{64, 128, 256, 512}, Bottleneck: true},
	"resnet152": {Blocks: []int{3, 8, 36, 3}, Widths: []int{64, 128, 256, 512}, Bottleneck: true},
}

// GPTSize returns a [GPTConfig] by name, to change and give to [GPT]: gpt2, gpt2-medium, gpt2-large, gpt2-xl, gpt-tiny.
func GPTSize(name string) (GPTConfig, error) { return size("GPTSize", gpts, name) }

// LLaMASize returns a [LLaMAConfig] by name: llama-60m, llama-130m, llama-350m, llama-1b, llama2-7b, llama-tiny.
func LLaMASize(name string) (LLaMAConfig, error) { return size("LLaMASize", llamas, name) }

// ViTSize returns a [ViTConfig] by name: vit-s/16, vit-s/32, vit-b/16, vit-tiny.
func ViTSize(name string) (ViTConfig, error) { return size("ViTSize", vits, name) }

// ResNetSize returns a [ResNetConfig] by name: resnet8, 20, 32, 44, 56, 110; resnet18, 34, 50, 101, 152.
func ResNetSize(name string) (ResNetConfig, error) { return size("ResNetSize", resnets, name) }

func size[C any](who string, sizes map[string]C, name string) (C, error) {
	c, ok := sizes[strings.ToLower(name)]
	if !ok {
		return c, fmt.Errorf("nets: %s: name is %q, must be one of %s", who, name, strings.Join(slices.Sorted(maps.Keys(sizes)), ", "))
	}
	return c, nil
}

// Names lists the networks that [ByName] knows, sorted.
func Names() []string {
	var out []string
	out = slices.AppendSeq(out, maps.Keys(gpts))
	out = slices.AppendSeq(out, maps.Keys(llamas))
	out = slices.AppendSeq(out, maps.Keys(vits))
	out = slices.AppendSeq(out, maps.Keys(resnets))
	slices.Sort(out)
	return out
}

// ByName returns a network of a published size. Nothing is allocated before [Model].Init: [Model].Size counts the
// parameters of the largest at once. An unknown name is an error that lists the known ones.
func ByName(name string) (Model, error) {
	key := strings.ToLower(name)
	var m Model
	var err error
	if c, ok := gpts[key]; ok {
		m, err = GPT(c)
	} else if c, ok := llamas[key]; ok {
		m, err = LLaMA(c)
	} else if c, ok := vits[key]; ok {
		m, err = ViT(c)
	} else if c, ok := resnets[key]; ok {
		m, err = ResNet(c)
	} else {
		return Model{}, fmt.Errorf("nets: ByName: name is %q, must be one of %s", name, strings.Join(Names(), ", "))
	}
	m.Name = key
	return m, err
}
