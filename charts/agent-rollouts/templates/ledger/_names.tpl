{{- define "agent-rollouts.ledgerUrl" -}}
{{- printf "http://%s-ledger.%s:8090" (include "agent-rollouts.fullname" .) .Release.Namespace }}
{{- end }}

{{- /* The Secret with an entry for each role. */}}
{{- define "agent-rollouts.ledgerTokens" -}}
{{- .Values.ledger.tokensSecret | default (printf "%s-ledger-tokens" (include "agent-rollouts.fullname" .)) }}
{{- end }}
