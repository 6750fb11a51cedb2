// What calls people, and what they look at then: the alerts and the workbook of infra/monitor, over what the app has told.

param componentId string
param location string
param tags object

@description('False: the rules are there, but ask nothing and cost nothing.')
param enabled bool
@description('Gets an e-mail when an alert fires and when it is over. Empty: nobody does; alerts are seen in the portal.')
param email string

var alerts = loadJsonContent('../../monitor/alerts.json')
var workbook = loadJsonContent('../../monitor/workbook.json')

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'people'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'support'
    enabled: true
    emailReceivers: empty(email) ? [] : [{ name: 'people', emailAddress: email, useCommonAlertSchema: true }]
  }
}

// A query's rows are what is wrong: one is enough. `Count` counts them.
resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in alerts: {
    name: alert.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: '${alert.name}: ${alert.description}'
      severity: alert.severity
      enabled: enabled
      scopes: [componentId]
      windowSize: alert.windowSize
      evaluationFrequency: alert.evaluationFrequency
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      autoMitigate: true
      // A component that was made a minute ago may not know its tables yet. Our own checks read the queries.
      skipQueryValidation: true
      actions: {
        actionGroups: [people.id]
        customProperties: { runbook: alert.runbook }
      }
    }
  }
]

resource overview 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(componentId, 'overview')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Support agent'
    category: 'workbook'
    sourceId: componentId
    serializedData: string(union(workbook, { fallbackResourceIds: [componentId] }))
  }
}
