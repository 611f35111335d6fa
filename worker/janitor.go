package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/config/settings"
	"sluice.dev/sluice/workflows"
)

const (
	// setupTimeout bounds what is asked of Temporal to set up the janitor.
	setupTimeout = 10 * time.Second
	// janitorTimeout bounds one look.
	janitorTimeout = 10 * time.Minute
)

// scheduleID names the janitor's Schedule; there is one for each cluster.
func scheduleID(cluster string) string { return "sluice-janitor-" + cluster }

// scheduleJanitor makes the Schedule of the janitor what the settings say. Every
// worker may do so: the last one that was started wins.
func scheduleJanitor(ctx context.Context, s settings.Settings, connected client.Client, log *slog.Logger) error {
	if s.Worker.Janitor == settings.JanitorOff {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	id, schedules := scheduleID(s.Cluster), connected.ScheduleClient()
	if s.Worker.Janitor == settings.JanitorNone {
		err := schedules.GetHandle(ctx, id).Delete(ctx)
		var none *serviceerror.NotFound
		if err != nil && !errors.As(err, &none) {
			return fmt.Errorf("removing Schedule %s: %w", id, err)
		}
		return nil
	}
	options := janitorSchedule(s, id)
	_, err := schedules.Create(ctx, options)
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		err = schedules.GetHandle(ctx, id).Update(ctx, client.ScheduleUpdateOptions{
			DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				schedule := in.Description.Schedule
				schedule.Spec, schedule.Action = &options.Spec, options.Action
				return &client.ScheduleUpdate{Schedule: &schedule}, nil
			},
		})
	}
	if err != nil {
		return fmt.Errorf("setting up Schedule %s: %w", id, err)
	}
	log.Info("the janitor looks for lost rollouts", "schedule", id, "every", s.Worker.JanitorEvery, "mode", s.Worker.Janitor)
	return nil
}

// janitorSchedule looks every so often; a look that takes longer is not joined by
// another one.
func janitorSchedule(s settings.Settings, id string) client.ScheduleOptions {
	return client.ScheduleOptions{
		ID: id,
		Spec: client.ScheduleSpec{
			Intervals: []client.ScheduleIntervalSpec{{Every: s.Worker.JanitorEvery}},
			Jitter:    s.Worker.JanitorEvery / 10,
		},
		Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		Action: &client.ScheduleWorkflowAction{
			ID: id, Workflow: workflows.JanitorType, TaskQueue: workflows.TaskQueue,
			WorkflowExecutionTimeout: janitorTimeout,
			Args:                     []any{workflows.JanitorInput{Cluster: s.Cluster, Repair: s.Worker.Janitor == settings.JanitorRepair}},
		},
	}
}
