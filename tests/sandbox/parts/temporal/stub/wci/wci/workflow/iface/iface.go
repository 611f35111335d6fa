// Package iface describes workers that the Temporal server would start by
// itself on somebody's cloud.
//
// The module has the names of go.temporal.io/auto-scaled-workers that the
// server refers to. The sandbox's workers are started by whoever tests them,
// and the real module would compile the SDKs of two clouds and Kubernetes.
package iface

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
)

// ValidationResultFailed is the result of a check that failed.
const ValidationResultFailed ValidationResult = "failed"

type (
	// ComputeProviderType names where workers would run.
	ComputeProviderType string
	// ScalingAlgorithmType names how their number would be found.
	ScalingAlgorithmType string
	// ValidationResult is the outcome of a check of a specification.
	ValidationResult string

	// ComputeProviderSpec says where workers would run.
	ComputeProviderSpec struct {
		ProviderType  ComputeProviderType
		Config        *commonpb.Payload
		NexusEndpoint string
	}
	// ScalingAlgorithmSpec says how their number would be found.
	ScalingAlgorithmSpec struct {
		ScalingAlgorithm ScalingAlgorithmType
		Config           *commonpb.Payload
	}
	// ScalingGroupSpec is a group of workers that scale together.
	ScalingGroupSpec struct {
		TaskTypes []enumspb.TaskQueueType
		Compute   ComputeProviderSpec
		Scaling   *ScalingAlgorithmSpec
	}
	// ScalingGroupSpecUpdate changes the named fields of a group.
	ScalingGroupSpecUpdate struct {
		Spec       ScalingGroupSpec
		UpdateMask []string
	}
	// WorkerControllerInstanceSpec is all groups of a deployment.
	WorkerControllerInstanceSpec struct {
		ScalingGroupSpecs map[string]ScalingGroupSpec
	}
	// ValidationStatus is the last check of a specification.
	ValidationStatus struct {
		LastValidationTime time.Time
		Status             ValidationResult
		ErrMessage         string
	}
	// QueryDescribeWorkerControllerInstanceResponse describes a controller.
	QueryDescribeWorkerControllerInstanceResponse struct {
		Spec             *WorkerControllerInstanceSpec
		ValidationStatus *ValidationStatus
	}
	// UpdateWorkerControllerInstanceResponse has what was kept of an update.
	UpdateWorkerControllerInstanceResponse struct {
		Spec *WorkerControllerInstanceSpec
	}
)
