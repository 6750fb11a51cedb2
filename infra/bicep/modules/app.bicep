// The Functions app on Flex Consumption. Its settings are here and nowhere else; a test compares them with shared/settings.py.

param planName string
param name string
param location string
param tags object

param identityId string
param identityClientId string
@description('Empty: the app is in no network.')
param subnetId string

@description('2048 or 4096: at 2048 about $0.000052 a second while it works. Embedding and reading documents need about 1 GB.')
param instanceMemoryMB int
@description('The most that may run at once: the ceiling of the bill.')
param maximumInstances int
@description('Instances that are kept warm for HTTP: about $21 a month each at 2048. 0: the first question after a pause waits for a cold start.')
param alwaysReady int
@description('Requests that one instance answers at once.')
param concurrency int

param packagesUri string
param hostBlobUri string
param hostQueueUri string
param hostTableUri string
param documentsBlobUri string
param documentsQueueUri string
param insightsConnectionString string
param cosmosEndpoint string
param cosmosDatabase string
param serviceBusHostName string
param tokenSecretUri string
@description('Empty: the documents\' own sentences answer.')
param modelEndpoint string
param modelDeployment string
param vectorIndex string
@description('Empty with vectorIndex = cosmos.')
param chromaUrl string
@description('Empty: clients poll.')
param pushEndpoint string

param companyName string
param allowedOrigins string
@description('More app settings, as docs/settings.md lists them.')
param moreSettings object

var always = {
  // Which of the app's identities, for each connection of the host and for the SDKs.
  AZURE_CLIENT_ID: identityClientId
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: hostBlobUri
  AzureWebJobsStorage__queueServiceUri: hostQueueUri
  AzureWebJobsStorage__tableServiceUri: hostTableUri
  AzureWebJobsDisableHomepage: 'true'
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  DOCUMENTS_STORAGE__credential: 'managedidentity'
  DOCUMENTS_STORAGE__clientId: identityClientId
  DOCUMENTS_STORAGE__blobServiceUri: documentsBlobUri
  DOCUMENTS_STORAGE__queueServiceUri: documentsQueueUri
  SERVICE_BUS__credential: 'managedidentity'
  SERVICE_BUS__clientId: identityClientId
  SERVICE_BUS__fullyQualifiedNamespace: serviceBusHostName
  COSMOS_ENDPOINT: cosmosEndpoint
  COSMOS_DATABASE: cosmosDatabase
  VECTOR_INDEX: vectorIndex
  // The package is read-only; nothing that must last is written.
  DATA_DIR: '/tmp/support-agent'
  AUTH_MODE: 'token'
  TOKEN_SECRET: '@Microsoft.KeyVault(SecretUri=${tokenSecretUri})'
  // Azure's front end writes the client's address.
  TRUSTED_PROXIES: '1'
  PUBLIC_URL: 'https://${app.properties.defaultHostName}'
  COMPANY_NAME: companyName
  ALLOWED_ORIGINS: allowedOrigins
  CHAT_PROVIDER: empty(modelEndpoint) ? 'extractive' : 'azure_openai'
}
var withChroma = empty(chromaUrl) ? {} : { CHROMA_URL: chromaUrl }
var model = { AZURE_OPENAI_ENDPOINT: modelEndpoint, AZURE_OPENAI_DEPLOYMENT: modelDeployment }
var withModel = empty(modelEndpoint) ? {} : model
var withPush = empty(pushEndpoint) ? {} : { WEB_PUBSUB_ENDPOINT: pushEndpoint }
var settings = union(always, withChroma, withModel, withPush, moreSettings)

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  // How azd finds the app that azure.yaml names.
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    // Who reads TOKEN_SECRET from the vault; by default it would be an identity that is not there.
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: { minTlsVersion: '1.2', scmMinTlsVersion: '1.2', http20Enabled: true, ftpsState: 'Disabled' }
    functionAppConfig: {
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstances
        alwaysReady: alwaysReady == 0 ? [] : [{ name: 'http', instanceCount: alwaysReady }]
        triggers: { http: { perInstanceConcurrency: concurrency } }
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packagesUri
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
    }
  }
}

resource appSettings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: settings
}

// No passwords for publishing, by whatever protocol.
resource noPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = [
  for protocol in ['ftp', 'scm']: {
    parent: app
    name: protocol
    properties: { allow: false }
  }
]

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
