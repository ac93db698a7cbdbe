{{- /*
Rules on the agents' namespaces: one ClusterRole for all namespaces, or one Role in each that is named.
Arguments: root, component, rules (YAML).
*/}}
{{- define "agent-rollouts.agentRules" -}}
{{- $root := .root }}
{{- $component := .component }}
{{- $rules := .rules }}
{{- $name := printf "%s-%s" (include "agent-rollouts.fullname" $root) $component }}
{{- $labels := include "agent-rollouts.labels" (dict "root" $root "component" $component) }}
{{- if $root.Values.watchNamespaces }}
{{- range $namespace := $root.Values.watchNamespaces }}
---
{{ include "agent-rollouts.role" (dict "kind" "Role" "name" (printf "%s-agents" $name) "namespace" $namespace "labels" $labels "rules" $rules "account" $name "accountNamespace" $root.Release.Namespace) }}
{{- end }}
{{- else }}
---
{{ include "agent-rollouts.role" (dict "kind" "ClusterRole" "name" (printf "%s-agents" $name) "labels" $labels "rules" $rules "account" $name "accountNamespace" $root.Release.Namespace) }}
{{- end }}
{{- end }}

{{- /* A role and its binding to one service account. Arguments: kind, name, namespace (Roles), labels, rules, account, accountNamespace. */}}
{{- define "agent-rollouts.role" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- .labels | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- .labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .account }}
    namespace: {{ .accountNamespace }}
{{- end }}
