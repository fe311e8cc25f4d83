import { finding, type FindingRule } from './finding.js';

export const nicMac: FindingRule = {
  codes: ['nic.static_mac'],
  explains: {
    'nic.static_mac': {
      title: 'its MAC was set by hand',
      severity: 'info',
      explains: 'A licence or DHCP may depend on it; the port gets the same one where that is free.',
      remedy: 'Nothing, or `--no-keep-mac` for a new one.',
    },
  },
  find: ({ nics, facts }) =>
    nics
      .filter(({ label }) => facts.staticMacs.includes(label))
      .map(({ label, mac }) =>
        finding('nic.static_mac', 'info', label, {
          message: `Its MAC address${mac === null ? '' : ` ${mac}`} was set by hand: something (a licence, DHCP) may depend on it.`,
          remedy:
            'Nothing has to be done: the port gets the same MAC where that is free in the network. With --no-keep-mac it gets a new one.',
        }),
      ),
};
