{{- /* Everything the chart's service accounts may do. tests/unit/chart holds the same list. */}}

{{- /* No approve verb, no secrets, nothing about pods but looking: what the operator can't do, nobody can make it do. */}}
{{- define "agent-rollouts.operatorRules" -}}
- apiGroups: [agentrollouts.io]
  resources: [rollouts, agentversions, approvalgates, agentroutes]
  verbs: [list, watch]
- apiGroups: [agentrollouts.io]
  resources: [rollouts/status, agentversions/status, approvalgates/status]
  verbs: [patch]
- apiGroups: [agentrollouts.io]
  resources: [approvalgates]
  verbs: [create]
- apiGroups: [agentrollouts.io]
  resources: [agentroutes]
  verbs: [create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch, create, patch]
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch, create, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [configmaps] # signed statements about releases, found by their label, and releases, by their name
  verbs: [get, list, watch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch, create, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{- /* In the release's own namespace: who leads, and the Services in front of the router's ports. */}}
{{- define "agent-rollouts.operatorHomeRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "agent-rollouts.fullname" . }}-operator]
  verbs: [get, update]
- apiGroups: [""]
  resources: [services]
  verbs: [list, create, patch, delete]
{{- end }}

{{- /* Whether the API server vouches for approvers. */}}
{{- define "agent-rollouts.operatorPolicyRules" -}}
- apiGroups: [admissionregistration.k8s.io]
  resources:
    - validatingadmissionpolicies
    - validatingadmissionpolicybindings
  verbs: [list]
{{- end }}

{{- /* The router only looks. */}}
{{- define "agent-rollouts.routerRules" -}}
- apiGroups: [agentrollouts.io]
  resources: [agentroutes]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end }}

{{- define "agent-rollouts.prometheusRules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- end }}

{{- /* A sentinel tells of a drift. It reads nothing and moves nothing. */}}
{{- define "agent-rollouts.sentinelRules" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{- /* Of one Rollout, and the versions beside it. What it may change of the Rollout is said by files/admission/improver.yaml. */}}
{{- define "agent-rollouts.improverRules" -}}
- apiGroups: [agentrollouts.io]
  resources: [rollouts]
  resourceNames: [{{ .name }}]
  verbs: [get, patch]
- apiGroups: [agentrollouts.io]
  resources: [agentversions]
  verbs: [list, create]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
