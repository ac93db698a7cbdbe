{{- define "agent-rollouts.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "agent-rollouts.fullname" -}}
{{- $name := include "agent-rollouts.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* Labels that never change for a release: what selectors use. Arguments: root, component. */}}
{{- define "agent-rollouts.selector" -}}
app.kubernetes.io/name: {{ include "agent-rollouts.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* All labels of an object. Arguments: root, component. */}}
{{- define "agent-rollouts.labels" -}}
{{ include "agent-rollouts.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: agent-rollouts
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* An image's full name. Arguments: root, image. */}}
{{- define "agent-rollouts.image" -}}
{{- $common := .root.Values.image -}}
{{- $tag := .image.tag | default $common.tag | default .root.Chart.AppVersion -}}
{{- if $common.registry }}{{ trimSuffix "/" $common.registry }}/{{ end }}{{ .image.repository }}
{{- if hasPrefix "sha256:" $tag }}@{{ else }}:{{ end }}{{ $tag }}
{{- end }}

{{- define "agent-rollouts.prometheusUrl" -}}
{{- .Values.prometheus.url | default (printf "http://%s-prometheus.%s:9090" (include "agent-rollouts.fullname" .) .Release.Namespace) }}
{{- end }}

{{- /* One for each Rollout; a CronJob's name has 52 characters at most. Arguments: root, rollout. */}}
{{- define "agent-rollouts.improverName" -}}
{{- $which := printf "%s/%s" .rollout.namespace .rollout.name | sha256sum | trunc 8 -}}
{{- printf "%s-improver-%s" (include "agent-rollouts.fullname" .root | trunc 34 | trimSuffix "-") $which }}
{{- end }}
