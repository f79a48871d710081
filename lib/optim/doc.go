// Package optim holds gradient-based optimizers as parts that compose.
//
// A [Transform] turns the gradients of a step into better updates. ScaleByX is the bare rule of method X, and X(rate) the
// ready chain that ends in the learning rate; [Chain] joins parts from left to right, [Partition] gives different
// parameters different parts. [Compile] makes a training step of a [Problem] that runs many steps in one executable (see
// package scan), [Minimize] does all in one call, and [GoMLX] makes any transform an optimizer of GoMLX's trainer.
//
//	| ready optimizer         | rule                      | state a parameter | source                      |
//	|-------------------------|---------------------------|-------------------|-----------------------------|
//	| [SGD]                   | –                         | 0                 | Robbins, Monro (1951)       |
//	| [Momentum], [Nesterov]  | [Trace]                   | 1                 | Polyak (1964), Nesterov (1983) |
//	| [AdaGrad]               | [ScaleByAdaGrad]          | 1                 | Duchi et al. (2011)         |
//	| [AdaDelta]              | [ScaleByAdaDelta]         | 2                 | Zeiler (2012)               |
//	| [RMSProp]               | [ScaleByRMS]              | 1 (centered: 2)   | Tieleman, Hinton (2012)     |
//	| [Adam], [AdamW]         | [ScaleByAdam]             | 2                 | Kingma, Ba (2015)           |
//	| [NAdam]                 | [ScaleByAdam].Nesterov    | 2                 | Dozat (2016)                |
//	| [AMSGrad]               | [ScaleByAMSGrad]          | 3                 | Reddi et al. (2018)         |
//	| [RAdam]                 | [ScaleByRAdam]            | 2                 | Liu et al. (2020)           |
//	| [Lion]                  | [ScaleByLion]             | 1                 | Chen et al. (2023)          |
//	| [SignSGD]               | [ScaleBySign]             | 0                 | Bernstein et al. (2018)     |
//	| [Adafactor]             | [ScaleByFactoredRMS]      | (m+n)/(m·n)       | Shazeer, Stern (2018)       |
//	| [Muon]                  | [ScaleByMuon]             | 1 (others: 2)     | Jordan et al. (2024)        |
//	| [DiffGrad]              | [ScaleByDiffGrad]         | 3                 | Dubey et al. (2020)         |
//	| [SGDSaI]                | [ScaleByGSNR]             | 1                 | Xu et al. (2024)            |
//	| [Prodigy]               | [ScaleByProdigy]          | 4                 | Mishchenko, Defazio (2024)  |
//	| [AdamMini]              | [ScaleByAdamMini]         | 1                 | Zhang et al. (2024)         |
//	| [SWAN]                  | [ScaleBySWAN]             | 0 (others: 2)     | Ma et al. (2025)            |
//	| [Frugal]                | [ScaleByFrugal]           | 2ρ (others: 2)    | Zmushko et al. (2025)       |
//	| [GaLore], [BAdam]       | [ScaleByFrugal]           | 2ρ (others: 2)    | Zhao et al. (2024), Luo et al. (2024) |
//	| [MFAC]                  | [ScaleByMFAC]             | the window, m     | Frantar et al. (2021)       |
//
// Parts that go with any method, in front of it, behind it or around it:
//
//	| part                                        | does                                                     |
//	|---------------------------------------------|----------------------------------------------------------|
//	| [Clip], [ClipByGlobalNorm], [ClipByBlockRMS] | bounds entries, the joint norm, each tensor's size      |
//	| [AddL2], [AddDecayedWeights]                | decays weights: through the gradient, or decoupled       |
//	| [ScaleByLearningRate]                       | the step, with a [Schedule]: [Constant], [WarmUp], [Cosine], [StepDecay], [InverseSqrt], [Joined] |
//	| [Accumulate]                                | one step for several minibatches                         |
//	| [AverageWeights]                            | a moving average of the weights                          |
//	| [SkipNonFinite]                             | leaves a step with NaN or infinity out                   |
//	| [Partition], [Freeze], [Keep]               | parameters by path and shape: [ByPath], [Matrices], [Not] |
//	| [GradNorm], [GradWhiten], [RestoreNorm]     | standardizes and whitens matrices                        |
//	| [PreconditionLoRA]                          | makes steps of LoRA's factors fair to both               |
//	| [SplitOutputs], [KernelMatrices]            | lets a matrix method see fused weights and convolutions  |
//	| [ApplyMask]                                 | keeps pruned weights at zero                             |
//	| [SAM]                                       | the gradient at the worst weights nearby                 |
//
// What is minimized may remember earlier steps too: an [Objective] such as [SAF] or [MESA].
//
// Learning rates, averaging factors and the like may be inputs of the compiled step: [Hyper] changes them without
// compiling again, and gives each of many runs trained together (a leading axis of seeds or grid points) its own.
package optim
