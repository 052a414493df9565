package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
)

var serviceName = attribute.String("service.name", "sweep")

// tracing sends a span of every workflow and activity to the collector that
// OpenTelemetry's own environment names: OTEL_EXPORTER_OTLP_ENDPOINT,
// OTEL_EXPORTER_OTLP_HEADERS and so on. Spans carry names and ids, no
// hyper-parameters. Without an endpoint it returns nothing.
func tracing(ctx context.Context) (interceptor.ClientInterceptor, func() error, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return nil, nil, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := os.Getenv(name); protocol != "" && protocol != "grpc" {
			return nil, nil, usagef("%s is %q; traces are sent by grpc only (the collector's port 4317)", name, protocol)
		}
	}
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("tracing: %w", err)
	}
	options := []trace.TracerProviderOption{trace.WithBatcher(exporter)}
	if os.Getenv("OTEL_SERVICE_NAME") == "" {
		name, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID(), resource.WithAttributes(serviceName))
		if err != nil {
			return nil, nil, fmt.Errorf("tracing: %w", err)
		}
		options = append(options, trace.WithResource(name))
	}
	provider := trace.NewTracerProvider(options...)
	tracer, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer: provider.Tracer("sweep"), DisableQueryTracing: true, AllowInvalidParentSpans: true,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("tracing: %w", err)
	}
	return tracer, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = provider.Shutdown(ctx) // spans that a collector does not take are lost, the work is not
		return nil
	}, nil
}
