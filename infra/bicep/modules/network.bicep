// The virtual network: where the app reaches out from, where Chroma lives, and the private endpoints. Free of charge itself.

param name string
param location string
param tags object

@description('Also make the DNS zones that private endpoints need: about $0.50 a month each.')
param privateNetworking bool

var zones = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.queue.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
  'privatelink.documents.azure.com'
  'privatelink.servicebus.windows.net'
  'privatelink.openai.azure.com'
  'privatelink.vaultcore.azure.net'
]

resource rules 'Microsoft.Network/networkSecurityGroups@2025-09-01' = {
  name: '${name}-rules'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        // Beside Azure's own rules, which keep the internet out and let the network talk to itself.
        name: 'NothingFromTheInternet'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.40.0.0/16'] }
    subnets: [
      {
        // Of Flex Consumption: one address per instance, and no underscore in its name.
        name: 'app'
        properties: {
          addressPrefix: '10.40.0.0/24'
          delegations: [{ name: 'app', properties: { serviceName: 'Microsoft.App/environments' } }]
          networkSecurityGroup: { id: rules.id }
        }
      }
      {
        // Of Container Apps, which wants one of its own. The service endpoint leads to the share that Chroma writes on.
        name: 'chroma'
        properties: {
          addressPrefix: '10.40.1.0/24'
          delegations: [{ name: 'chroma', properties: { serviceName: 'Microsoft.App/environments' } }]
          serviceEndpoints: [{ service: 'Microsoft.Storage' }]
          networkSecurityGroup: { id: rules.id }
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.40.2.0/24'
          privateEndpointNetworkPolicies: 'Enabled'
          networkSecurityGroup: { id: rules.id }
        }
      }
    ]
  }
}

resource privateZones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zones: if (privateNetworking) {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, i) in zones: if (privateNetworking) {
    parent: privateZones[i]
    name: name
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: network.id }
    }
  }
]

output id string = network.id
output appSubnetId string = '${network.id}/subnets/app'
output chromaSubnetId string = '${network.id}/subnets/chroma'
output endpointSubnetId string = '${network.id}/subnets/endpoints'
